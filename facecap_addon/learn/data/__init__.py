"""What is learned from: training sets, frames, crops, augmentation, synthetic footage."""
