#![doc = include_str!("../README.md")]

pub mod api;
pub mod app;
pub mod config;
pub mod domain;
pub mod error;
pub mod netaxept;
pub mod outbound;
pub mod secret;
pub mod storage;
pub mod token;
