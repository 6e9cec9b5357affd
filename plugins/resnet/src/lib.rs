//! Residual networks with torchvision's parameter names.
