"""What people look at: the report, the preview video, sheets and plots."""
