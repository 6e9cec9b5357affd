//! The CIFAR10 and CIFAR100 data sets.

mod archive;
mod binary;
mod cards;
mod dataset;
mod failure;
mod layout;
mod options;
mod pickle;
mod published;
mod python;
mod record_file;
mod records;
mod verify;

#[cfg(test)]
mod tests;

use dataset::Cifar;
use selfsame_plugin_api::{Dataset, DatasetRequest, Result, export_plugin};

fn create(request: &DatasetRequest) -> Result<Box<dyn Dataset>> {
    Ok(Box::new(Cifar::new(request)?))
}

export_plugin! {
    datasets: {
        "CIFAR10" => (|_| cards::cifar10(), create),
        "CIFAR100" => (|_| cards::cifar100(), create),
    },
}
