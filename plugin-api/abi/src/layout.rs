//! How the types of version 1 are laid out, as one number that a plugin carries in its manifest.

/// The first 16 hexadecimal digits of the SHA-256 of the description that this module's test computes: names, sizes,
/// alignments, fields and function signatures of everything that [`PluginModuleRef`](crate::PluginModuleRef) leads to.
/// It belongs to [`ABI_VERSION`](crate::ABI_VERSION) and never changes without it.
pub const LAYOUT_DIGEST: &str = "61f271b8d0bfe50a";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{PluginModuleRef, ABI_VERSION};
    use abi_stable::{std_types::utypeid::UTypeId, type_layout::TypeLayout, StableAbi};
    use sha2::{Digest, Sha256};

    /// The types that were reached, in that order, and a line about each.
    #[derive(Default)]
    struct Description {
        types: Vec<UTypeId>,
        lines: Vec<String>,
    }

    impl Description {
        /// The number of a type, which is described when it is first met.
        fn number(&mut self, layout: &'static TypeLayout) -> usize {
            let id = layout.get_utypeid();
            if let Some(known) = self.types.iter().position(|known| *known == id) {
                return known;
            }
            let number = self.types.len();
            self.types.push(id);
            self.lines.push(String::new());
            let (name, size, align) = (layout.full_type(), layout.size(), layout.alignment());
            let mut line = format!("{number} {name}: {size} bytes, aligned to {align}, {:?}", layout.repr_attr());
            for field in layout.get_fields().into_iter().flat_map(|fields| fields.iter()) {
                line += &format!("; {} = {}", field.name(), self.number(field.layout()));
                for function in field.function_range().iter() {
                    let types = function.param_type_layouts.iter().map(|part| part());
                    let types = types.chain(function.return_type_layout().map(|answer| answer()));
                    let types: Vec<_> = types.map(|part| self.number(part)).collect();
                    line += &format!(" {} {types:?}", function.to_string().replace('\n', " "));
                }
            }
            for nested in layout.shared_vars().type_layouts() {
                self.number(nested());
            }
            self.lines[number] = line;
            number
        }
    }

    #[test]
    fn the_layout_is_that_of_its_version() {
        let mut description = Description::default();
        description.number(PluginModuleRef::LAYOUT);
        let text: String = description.lines.into_iter().map(|line| line + "\n").collect();
        for part in ["bit_depth = ", "TargetsKind", "call = ", "metadata = ", "create_encoder", "feature_dim", "items"]
        {
            assert!(text.contains(part), "`{part}` is not in:\n{text}");
        }
        let digest: String = Sha256::digest(text.as_bytes())[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            digest, LAYOUT_DIGEST,
            "the types of version {ABI_VERSION} are laid out differently: every compiled plugin would be refused. Growth \
             goes into JSON or into a new module (docs/plugin-abi.md).\n{text}"
        );
    }
}
