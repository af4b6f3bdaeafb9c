//! Ops by factorizations of matrices: the feature `linalg`.
mod decompositions;
mod least_squares;
mod linear_systems;
