//! The methods, one row each: its citation, its name in the configuration, its type, and its section of settings where it
//! has one. The name's type, the settings' section and the construction follow.

use super::barlow_twins::{BarlowTwins, BarlowTwinsConfig};
use super::byol::{Byol, ByolConfig};
use super::dino::{Dino, DinoConfig};
use super::lejepa::{LeJepa, LeJepaConfig};
use super::moco_v2::{MoCoV2, MoCoV2Config};
use super::moco_v3::{MoCoV3, MoCoV3Config};
use super::simclr::SimClr;
use super::simsiam::{SimSiam, SimSiamConfig};
use super::vicreg::{VicReg, VicRegConfig};
use super::{Definition, MakeEncoder, Method, Refusal};
use crate::model::{Error, ProjectionConfig};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::RangeInclusive;
use tch::Device;

macro_rules! methods {
    ($( $(#[doc = $citation:literal])+ $variant:ident $name:ident: $method:ty $(, $settings:ty)?; )+) => {
        /// The self-supervised methods.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum MethodName { $( $(#[doc = $citation])+ $variant, )+ }

        impl MethodName {
            /// All of them.
            pub const ALL: [Self; [$( stringify!($name), )+].len()] = [$( Self::$variant, )+];

            /// The name in the configuration and before the names of what it logs.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $( Self::$variant => stringify!($name), )+ }
            }

            /// The projection head where nothing is set.
            #[must_use]
            pub fn projection(self) -> ProjectionConfig {
                match self { $( Self::$variant => <$method>::PROJECTION, )+ }
            }

            /// How many views of an image it takes.
            #[must_use]
            pub fn views(self) -> RangeInclusive<usize> {
                match self { $( Self::$variant => <$method>::VIEWS, )+ }
            }

            /// The key and value by which its evaluated encoder is a moving average already.
            #[must_use]
            pub fn averages(self, config: &MethodConfig) -> Option<&'static str> {
                match self { $( Self::$variant => <$method>::averages(config), )+ }
            }

            /// What is wrong with its settings that their ranges cannot state.
            #[must_use]
            pub fn refusals(self, config: &MethodConfig, batch_size: usize) -> Vec<Refusal> {
                match self { $( Self::$variant => <$method>::refusals(config, batch_size), )+ }
            }

            /// Builds it; heads are initialised from libtorch's global generator. The first encoder that is made is the one
            /// that learns.
            ///
            /// # Errors
            /// What `encoder` returns, and anything libtorch refuses, such as a full device.
            pub fn create<E: From<Error>>(
                self,
                config: &MethodConfig,
                encoder: MakeEncoder<E>,
                device: Device,
            ) -> Result<Box<dyn Method>, E> {
                Ok(match self { $( Self::$variant => Box::new(<$method>::create(config, encoder, device)?), )+ })
            }
        }

        /// The loss and the heads of the self-supervised method.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(default, deny_unknown_fields)]
        pub struct MethodConfig {
            /// Temperature τ of SimCLR's NT-Xent, at least 0.001.
            #[schemars(range(min = 0.001))]
            pub temperature: f64,
            /// The projection head. What it is without being set depends on the method.
            pub projection: ProjectionConfig,
            $( $( #[allow(missing_docs, reason = "the settings' own documentation")] pub $name: $settings, )? )+
        }

        impl MethodConfig {
            /// What holds for a method where nothing is set.
            #[must_use]
            pub fn of(method: MethodName) -> Self {
                Self {
                    temperature: 0.5,
                    projection: method.projection(),
                    $( $( $name: <$settings>::default(), )? )+
                }
            }
        }
    };
}

methods! {
    /// SimCLR (Chen et al. 2020).
    Simclr simclr: SimClr;
    /// BYOL (Grill et al. 2020).
    Byol byol: Byol, ByolConfig;
    /// Barlow Twins (Zbontar et al. 2021).
    BarlowTwins barlow_twins: BarlowTwins, BarlowTwinsConfig;
    /// VICReg (Bardes et al. 2022).
    Vicreg vicreg: VicReg, VicRegConfig;
    /// SimSiam (Chen & He 2021).
    Simsiam simsiam: SimSiam, SimSiamConfig;
    /// MoCo v2 (He et al. 2020, Chen et al. 2020b).
    MocoV2 moco_v2: MoCoV2, MoCoV2Config;
    /// MoCo v3 (Chen, Xie & He 2021).
    MocoV3 moco_v3: MoCoV3, MoCoV3Config;
    /// DINO (Caron et al. 2021).
    Dino dino: Dino, DinoConfig;
    /// LeJEPA (Balestriero & LeCun 2025).
    Lejepa lejepa: LeJepa, LeJepaConfig;
}

impl fmt::Display for MethodName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[expect(clippy::derivable_impls, reason = "a row has no place for an attribute of its own")]
impl Default for MethodName {
    fn default() -> Self {
        Self::Simclr
    }
}

impl Default for MethodConfig {
    fn default() -> Self {
        Self::of(MethodName::default())
    }
}

impl Default for ProjectionConfig {
    fn default() -> Self {
        MethodName::default().projection()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_the_configuration_takes() {
        for method in MethodName::ALL {
            assert_eq!(serde_json::to_value(method).unwrap(), method.name());
        }
    }
}
