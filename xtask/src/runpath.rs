//! Where a packed program looks for its libraries.

use anyhow::{Error, Result, bail};
use selfsame_wheel::{library_folders, relocated};

/// The program or library without the folders of the machine that built it; one that looks nowhere stays as it is.
///
/// # Errors
/// One that would find no library any more, because a build script names no folder beside it.
pub fn packed(program: Vec<u8>) -> Result<Vec<u8>> {
    let before = library_folders(&program).map_err(Error::msg)?;
    let packed = relocated(program).map_err(Error::msg)?;
    if !before.is_empty() && library_folders(&packed).map_err(Error::msg)?.is_empty() {
        bail!("it looks for libraries in {} only, and not beside itself", before.join(":"));
    }
    Ok(packed)
}
