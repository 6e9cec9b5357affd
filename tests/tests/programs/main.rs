//! Whole-program tests: the built binary and real plugins, in one program, so that it is linked once.

mod archive;
mod caveats;
mod chest_films;
mod data;
mod data_sets;
mod dicom;
mod download;
mod evaluate;
mod evaluate_data_sets;
mod image_folder;
mod initial_weights;
mod links;
mod lost_runs;
mod outputs;
mod plugins;
mod preview;
mod probes;
mod resume;
mod save_now;
mod startup;
mod train;
mod wrong_configurations;
