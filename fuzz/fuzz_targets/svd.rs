#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mflt_fuzz::svd(bytes));
