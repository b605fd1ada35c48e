//! The corpus of a target begins with its seeds.

use std::path::Path;

pub fn seed(target: &str, seeds: fn(&Path) -> Vec<Vec<u8>>) {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR"));
    let corpus = fuzz.join("corpus").join(target);
    std::fs::create_dir_all(&corpus).expect("the corpus");
    let repository = fuzz.parent().expect("the repository");
    for (number, seed) in seeds(repository).into_iter().enumerate() {
        std::fs::write(corpus.join(format!("seed-{number:03}")), seed).expect("written");
    }
}
