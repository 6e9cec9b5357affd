//! Facts about the data sets that are known without reading them.

use crate::options;
use crate::published::{CIFAR10, CIFAR100};
use selfsame_plugin_api::{Card, Split};
use serde_json::json;

const CIFAR10_CLASSES: &str = "airplane automobile bird cat deer dog frog horse ship truck";

const CIFAR100_CLASSES: &str = "apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus \
     butterfly camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup \
     dinosaur dolphin elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion \
     lizard lobster man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear \
     pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew \
     skunk skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone television tiger \
     tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm";

/// The card of CIFAR-10.
pub fn cifar10() -> Card {
    card(CIFAR10.name, "60 000 natural colour images of 32×32 pixels in 10 classes.", CIFAR10_CLASSES)
        .normalization([0.491_399_68, 0.482_158_41, 0.446_530_91], [0.247_032_23, 0.243_485_13, 0.261_587_84])
}

/// The card of CIFAR-100 with its fine labels.
pub fn cifar100() -> Card {
    card(CIFAR100.name, "60 000 natural colour images of 32×32 pixels in 100 classes.", CIFAR100_CLASSES)
        .normalization([0.507_075_16, 0.486_548_87, 0.440_917_84], [0.267_334_29, 0.256_438_46, 0.276_150_47])
}

fn card(name: &str, summary: &str, classes: &str) -> Card {
    Card::new(name, summary)
        .images(3, 8, (32, 32))
        .classes(classes.split_whitespace())
        .splits([Split::Train, Split::Test])
        .citation(
            "A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, technical report, University of \
             Toronto, 2009",
        )
        .options::<options::Raw>()
        .recommended(json!({
            "augmentation": {
                "use_random_crop": true,
                "random_crop": { "scale": [0.2, 1.0] },
                "use_random_horizontal_flip": true,
                "random_horizontal_flip": { "prob": 0.5 },
                "use_random_color": true,
                "random_color": { "brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.1, "prob": 0.8 },
                "use_random_grayscale": true,
                "random_grayscale": { "prob": 0.1 },
            }
        }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_in_label_order() {
        let (ten, hundred) = (cifar10().classes, cifar100().classes);
        assert_eq!((ten.len(), hundred.len()), (10, 100));
        assert_eq!((ten[3].as_str(), ten[9].as_str()), ("cat", "truck"));
        // The publisher numbers the fine labels alphabetically.
        assert!(hundred.is_sorted());
        assert_eq!((hundred[19].as_str(), hundred[58].as_str()), ("cattle", "pickup_truck"));
    }
}
