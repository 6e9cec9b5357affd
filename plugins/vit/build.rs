//! Tells the linker where libtorch lies, so that the host finds it when it opens this plugin.

fn main() {
    link_libtorch();
}

/// Writes libtorch's folder into the plugin and its tests as `DT_RUNPATH`: searched after `LD_LIBRARY_PATH`.
fn link_libtorch() {
    println!("cargo::rerun-if-changed=build.rs");
    // torch-sys reports the folder it linked against; the `doc-only` build of it has none.
    if let Ok(folder) = std::env::var("DEP_TCH_LIBTORCH_LIB") {
        println!(
            "cargo::rustc-link-arg=-Wl,--as-needed,--enable-new-dtags,-rpath,$ORIGIN/../../lib:$ORIGIN/../../libtorch/lib:{folder}"
        );
    }
}
