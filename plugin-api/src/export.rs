/// Names what a plugin provides. Write it once, in the crate root.
///
/// ```
/// use selfsame_plugin_api::{export_plugin, Card, Dataset, DatasetRequest, PluginError, Result};
///
/// export_plugin! {
///     datasets: {
///         "CIFAR10" => (card, create),
///         "CIFAR100" => (card, create),
///     },
/// }
///
/// fn card(name: &str) -> Card {
///     Card::new(name, "Small natural images")
/// }
///
/// fn create(request: &DatasetRequest) -> Result<Box<dyn Dataset>> {
///     Err(PluginError::plugin(format!("{} is not written yet", request.name)))
/// }
/// ```
///
/// Names are plain string literals; each function learns from its argument which name is asked for. The crate is a
/// `cdylib`. A plugin with encoders uses the macro of the same name in `selfsame-encoder-api`.
#[macro_export]
macro_rules! export_plugin {
    (datasets: { $($dataset:literal => ($card:expr, $create:expr)),* $(,)? } $(,)?) => {
        $crate::__export_plugin! {
            datasets: { $($dataset => ($card, $create)),* }
            encoders: []
            libtorch: "null",
            functions: $crate::__private::NO_ENCODERS,
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __export_plugin {
    (
        datasets: { $($dataset:literal => ($card:expr, $create:expr)),* }
        encoders: [$($encoder:literal),*]
        libtorch: $libtorch:expr,
        functions: $functions:expr,
    ) => {
        const _: () = {
            use $crate::__private as sdk;

            const MANIFEST: &str = sdk::concatcp!(
                "{\"abi\":",
                $crate::ABI_VERSION,
                ",\"layout\":\"",
                $crate::LAYOUT_DIGEST,
                "\",\"name\":\"",
                env!("CARGO_PKG_NAME"),
                "\",\"version\":\"",
                env!("CARGO_PKG_VERSION"),
                "\",\"datasets\":",
                stringify!([$($dataset),*]),
                ",\"encoders\":",
                stringify!([$($encoder),*]),
                ",\"rustc\":\"",
                $crate::RUSTC,
                "\",\"target\":\"",
                $crate::TARGET,
                "\",\"panic\":\"",
                if cfg!(panic = "unwind") { "unwind" } else { "abort" },
                "\",\"libtorch\":",
                $libtorch,
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
                    &[$(sdk::DatasetEntry { name: $dataset, card: $card, create: $create }),*],
                    $functions,
                )
            }

            extern "C" fn constructor() -> sdk::RootModuleResult {
                sdk::call_root_module_loader(module)
            }

            // What abi_stable's `export_root_module` writes, without a dependency on it in the plugin's crate.
            #[unsafe(no_mangle)]
            pub static _1as_0lib_1header_0root_bmodule_bloader: sdk::LibHeader = unsafe {
                // SAFETY: `constructor` returns a `PluginModuleRef`.
                sdk::LibHeader::from_constructor::<sdk::PluginModuleRef>(constructor, sdk::CheckTypeLayout::Yes)
            };
        };
    };
}
