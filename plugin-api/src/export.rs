/// Names what a plugin provides. Write it once, in the crate root.
///
/// ```ignore
/// selfsame_plugin_api::export_plugin! {
///     datasets: {
///         // fn card(name: &str) -> Card
///         // fn create(request: &DatasetRequest) -> Result<Box<dyn Dataset>>
///         "CIFAR10" => (card, create),
///         "CIFAR100" => (card, create),
///     },
///     encoders: {
///         // fn encoder_card(name: &str) -> EncoderCard
///         // fn build(request: &EncoderRequest, device: tch::Device) -> Result<Box<dyn Encoder>>
///         "resnet18" => (encoder_card, build),
///     },
/// }
/// ```
///
/// Either block may be left out. Names are plain string literals; each function learns from its argument which name is
/// asked for. The crate is a `cdylib` and depends on `selfsame-plugin-api`, with the feature `encoder` for encoders.
#[macro_export]
macro_rules! export_plugin {
    (
        $(datasets: { $($dataset:literal => ($dataset_card:expr, $create_dataset:expr)),* $(,)? } $(,)?)?
        $(encoders: { $($encoder:literal => ($encoder_card:expr, $create_encoder:expr)),* $(,)? } $(,)?)?
    ) => {
        const _: () = {
            use $crate::__private as sdk;

            const MANIFEST: &str = sdk::concatcp!(
                "{\"abi\":",
                $crate::ABI_VERSION,
                ",\"name\":\"",
                env!("CARGO_PKG_NAME"),
                "\",\"version\":\"",
                env!("CARGO_PKG_VERSION"),
                "\",\"datasets\":",
                stringify!([$($($dataset),*)?]),
                ",\"encoders\":",
                stringify!([$($($encoder),*)?]),
                ",\"rustc\":\"",
                $crate::RUSTC,
                "\",\"target\":\"",
                $crate::TARGET,
                "\",\"panic\":\"",
                if cfg!(panic = "unwind") { "unwind" } else { "abort" },
                "\",\"libtorch\":",
                $crate::__libtorch!($([$($encoder)*])?),
                "}"
            );

            // Exported, so that the linker keeps it.
            #[used]
            #[unsafe(no_mangle)]
            #[unsafe(link_section = ".selfsame")]
            pub static SELFSAME_MANIFEST: [u8; MANIFEST.len()] = {
                let mut bytes = [0; MANIFEST.len()];
                bytes.copy_from_slice(MANIFEST.as_bytes());
                bytes
            };

            fn module() -> sdk::PluginModuleRef {
                sdk::root_module(
                    env!("CARGO_PKG_NAME"),
                    &[$($(sdk::DatasetEntry {
                        name: $dataset,
                        card: $dataset_card,
                        create: $create_dataset,
                    }),*)?],
                    $crate::__encoders!($([$(($encoder, $encoder_card, $create_encoder))*])?),
                )
            }

            extern "C" fn constructor() -> sdk::RootModuleResult {
                sdk::call_root_module_loader(module)
            }

            // What abi_stable's `export_root_module` writes, without a dependency on it in the plugin's crate.
            #[unsafe(no_mangle)]
            pub static _1as_0lib_1header_0root_bmodule_bloader: sdk::LibHeader = unsafe {
                // SAFETY: `constructor` answers a `PluginModuleRef`.
                sdk::LibHeader::from_constructor::<sdk::PluginModuleRef>(constructor, sdk::CheckTypeLayout::Yes)
            };
        };
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __libtorch {
    () => {
        "null"
    };
    ([$($encoder:literal)*]) => {
        $crate::__private::concatcp!("\"", $crate::LIBTORCH_VERSION, "\"")
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __encoders {
    () => {
        $crate::__private::NO_ENCODERS
    };
    ([$(($name:literal, $card:expr, $create:expr))*]) => {
        $crate::__private::encoder_functions(&[$($crate::__private::EncoderEntry {
            name: $name,
            card: $card,
            create: $create,
        }),*])
    };
}
