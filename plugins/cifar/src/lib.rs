//! The CIFAR10 and CIFAR100 data sets.
