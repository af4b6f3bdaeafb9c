//! The generator that everything random draws from, where no seed is given.
use slalom_array::{Generator, Philox};
use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

static DEFAULT: LazyLock<Generator> = LazyLock::new(|| {
    // The keys of a hasher are the one source of entropy in the standard library.
    Generator::from_seed(RandomState::new().hash_one(std::process::id()))
});

/// The generator of this process. Until [`set_seed`] is called, its seed differs from run to run.
///
/// ```
/// use slalom_variable::random;
/// let mut x = [0.0_f32; 4];
/// random::default_generator().uniform(0.0, 1.0, &mut x);
/// assert!(x.iter().all(|x| (0.0..1.0).contains(x)));
/// ```
pub fn default_generator() -> &'static Generator {
    &DEFAULT
}

/// Seeds [`default_generator`]: what is drawn from it afterwards is the same in every run (`tf.random.set_seed`), if
/// the program draws in the same order. Call it before other threads draw.
///
/// ```
/// use slalom_array::{DType, Shape};
/// use slalom_variable::initializers::{GlorotUniform, Initializer};
/// use slalom_variable::random::set_seed;
/// let draw = || GlorotUniform::new().initialize(&Shape::from([2, 2]), DType::F32)?.to_vec::<f32>();
/// set_seed(1);
/// let (first, second) = (draw()?, draw()?);
/// assert_ne!(first, second);
/// set_seed(1);
/// assert_eq!((draw()?, draw()?), (first, second));
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub fn set_seed(seed: u64) {
    DEFAULT.set_state([seed, 0]);
}

/// The random function of a seed; without one, a new function of the default generator.
pub(crate) fn philox(seed: Option<u64>) -> Philox {
    match seed {
        Some(seed) => Philox::new(seed),
        None => default_generator().split().philox(),
    }
}
