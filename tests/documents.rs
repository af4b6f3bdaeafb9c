//! What the documents name exists.
use std::path::{Path, PathBuf};

const DOCUMENTS: &[&str] = &["README.md", "CONTRIBUTING.md", "docs", "tests/golden/README.md"];

/// All files and folders of the repository, but for what is built.
fn list(folder: &Path, all: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let built = ["target", "out"].contains(&name.as_str()) || (name.starts_with('.') && name != ".ci");
        if !built {
            if path.is_dir() {
                list(&path, all);
            }
            all.push(path);
        }
    }
}

/// Whether a text in backticks is meant as a path: a source file, a folder, or something in a folder of the repository.
fn is_path(text: &str, root: &Path) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._/-".contains(c);
    let inside = text.split_once('/').is_some_and(|(first, _)| root.join(first).is_dir());
    text.chars().all(plain) && (inside || [".rs", ".md", "/"].iter().any(|end| text.ends_with(end)))
}

/// The paths in a document that lead nowhere. In backticks, a path may leave out where it begins.
fn lost(document: &Path, root: &Path, all: &[PathBuf]) -> Vec<String> {
    let text = std::fs::read_to_string(document).unwrap();
    let quoted = text.split('`').skip(1).step_by(2);
    let linked = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let missing = quoted.filter(|path| is_path(path, root) && !all.iter().any(|known| known.ends_with(path)));
    let file = |link: &str| document.with_file_name(link.split('#').next().unwrap_or_default());
    let broken =
        linked.filter(|link| !link.contains("://") && !link.starts_with('#') && !file(link).exists());
    missing.chain(broken).map(|path| format!("{}: {path}", document.display())).collect()
}

#[test]
fn every_path_in_the_documents_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = Vec::new();
    list(root, &mut all);
    let is_document = |path: &&PathBuf| {
        path.extension().is_some_and(|extension| extension == "md")
            && DOCUMENTS.iter().any(|document| path.starts_with(root.join(document)))
    };
    let documents: Vec<&PathBuf> = all.iter().filter(is_document).collect();
    assert!(documents.len() >= 7, "{documents:?}");
    let lost: Vec<String> = documents.iter().flat_map(|document| lost(document, root, &all)).collect();
    assert!(lost.is_empty(), "{lost:#?}");
}

#[test]
fn a_path_that_leads_nowhere_is_found() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let document = Path::new(env!("CARGO_TARGET_TMPDIR")).join("lost.md");
    std::fs::write(&document, "`nowhere.rs`, `docs/nothing`, `1/d`, `x.len()` and [this](gone.md#here)")
        .unwrap();
    assert_eq!(lost(&document, root, &[]).len(), 3);
}
