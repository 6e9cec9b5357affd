//! What a run leaves for people: metrics, progress, reports, exported encoders.
