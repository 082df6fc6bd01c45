//! Links the program at a fixed address.
//!
//! The tables of all time zones hold 40,000 pointers. At an address that differs at each start the loader has to write
//! every one of them, in every process: 1.2 MB of private memory in the daemon and in the warden each, and 0.9 ms at the
//! start of each command. The stack, the heap and the libraries keep their random addresses.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let is = |key: &str, value: &str| std::env::var(key).is_ok_and(|found| found == value);
    if is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu") {
        println!("cargo::rustc-link-arg-bins=-no-pie");
    }
}
