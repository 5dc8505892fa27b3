//! From template to WGSL.
//!
//! In a template `${ name }` is a value and a line that begins with `#` is a statement
//! (`# for i in range(4)`); WGSL uses neither character.  After rendering, the library functions
//! that the text calls are put in front of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::OnceLock,
};

use minijinja::{Environment, UndefinedBehavior, Value, syntax::SyntaxConfig};

use crate::{
    error::{GpuError, Result},
    shaders::{LIBRARY, TEMPLATES},
};

/// Renders the template of that name and links what it calls.
pub fn render(template: &str, context: &Value) -> Result<String> {
    let failed = |error: &minijinja::Error| GpuError::Template {
        template: template.to_owned(),
        message: format!("{error:#}"),
    };
    let environment = environment().as_ref().map_err(failed)?;
    let rendered = environment
        .get_template(template)
        .and_then(|t| t.render(context))
        .map_err(|e| failed(&e))?;
    Ok(link(&rendered))
}

fn environment() -> &'static Result<Environment<'static>, minijinja::Error> {
    static ENVIRONMENT: OnceLock<Result<Environment<'static>, minijinja::Error>> = OnceLock::new();
    ENVIRONMENT.get_or_init(|| {
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder()
            .block_delimiters("#{", "}#")
            .variable_delimiters("${", "}")
            .comment_delimiters("#*", "*#")
            .line_statement_prefix("#")
            .build()?;
        environment.set_syntax(syntax);
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        for (name, source) in TEMPLATES {
            environment.add_template(name, source)?;
        }
        Ok(environment)
    })
}

/// Puts in front of `wgsl` every library item that it names, and those that these name.
pub fn link(wgsl: &str) -> String {
    let library = library();
    let mut needed = BTreeSet::new();
    let mut open = mentions(wgsl);
    while let Some(name) = open.pop() {
        if let Some((key, text)) = library.get_key_value(name)
            && needed.insert(*key)
        {
            open.extend(mentions(text));
        }
    }
    let mut linked = String::new();
    for name in needed {
        linked.push_str(library[name]);
        linked.push('\n');
    }
    linked.push_str(wgsl);
    linked
}

/// The items of the library by name: from a line `fn lam_x(` or `const lam_x` to a line that is
/// just `}` or ends a constant with `;`.
fn library() -> &'static BTreeMap<&'static str, &'static str> {
    static ITEMS: OnceLock<BTreeMap<&'static str, &'static str>> = OnceLock::new();
    ITEMS.get_or_init(|| {
        let mut items = BTreeMap::new();
        for (_, source) in LIBRARY {
            let mut rest: &'static str = source;
            while let Some(start) = next_item(rest) {
                rest = &rest[start..];
                let end = if rest.starts_with("fn") {
                    "\n}\n"
                } else {
                    ";\n"
                };
                let length = rest.find(end).map_or(rest.len(), |at| at + end.len());
                let (item, after) = rest.split_at(length);
                if let Some(name) = mentions(item).into_iter().next() {
                    items.insert(name, item);
                }
                rest = after;
            }
        }
        items
    })
}

/// Where the next item begins: at a line's start.
fn next_item(text: &str) -> Option<usize> {
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        if line.starts_with("fn lam_") || line.starts_with("const lam_") {
            return Some(offset);
        }
        offset += line.len();
    }
    None
}

/// The identifiers in `text` that begin with `lam_`, in order.
fn mentions(text: &str) -> Vec<&str> {
    let inside = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split(|c| !inside(c))
        .filter(|word| word.starts_with("lam_"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linking_brings_what_is_called_once() {
        let linked = link("fn main() { let x = lam_f16_to_f32(0u) + lam_f16_to_f32(1u); }");
        assert_eq!(linked.matches("fn lam_f16_to_f32").count(), 1);
        assert!(!linked.contains("fn lam_f32_to_f16"));
        assert_eq!(link("fn main() {}"), "fn main() {}");
    }

    #[test]
    fn a_missing_value_is_an_error() {
        let error = render("elementwise", &Value::from(())).unwrap_err();
        assert!(matches!(error, GpuError::Template { .. }), "{error}");
        let error = render("no such", &Value::from(())).unwrap_err();
        assert!(error.to_string().contains("no such"), "{error}");
    }
}
