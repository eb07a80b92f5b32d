"""Expressions learned from sequences: Seo and Luo's network, its training and its use."""
