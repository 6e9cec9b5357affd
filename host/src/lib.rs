//! Trains image encoders without labels.
