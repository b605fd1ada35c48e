//! What a random number decides.

use std::f64::consts::TAU;

use crate::support::Random;

pub trait Chance {
    /// From 0 to 1, exclusive.
    fn unit(&mut self) -> f64;
    /// Of every hundred.
    fn chance(&mut self, percent: u64) -> bool;
    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T;
    /// Log-normal, by its median and sigma.
    fn log_normal(&mut self, median: f64, sigma: f64) -> i64;
    fn bytes(&mut self) -> [u8; 32];
}

impl Chance for Random {
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len() as u64) as usize]
    }

    /// By Box and Muller.
    fn log_normal(&mut self, median: f64, sigma: f64) -> i64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        let normal = radius * (TAU * self.unit()).cos();
        (median * (sigma * normal).exp()) as i64
    }

    fn bytes(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for eight in bytes.chunks_exact_mut(8) {
            eight.copy_from_slice(&self.next().to_le_bytes());
        }
        bytes
    }
}
