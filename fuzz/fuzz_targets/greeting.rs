//! The engine's greeting: one that was read is written and read again without a change.
#![no_main]
use libfuzzer_sys::fuzz_target;
use tidegate_wire::capabilities::Capabilities;
use tidegate_wire::greeting::Opening;

fuzz_target!(|payload: &[u8]| {
    match Opening::parse(payload) {
        Ok(Opening::Greeting(mut greeting)) => {
            // The writer always names a plugin, so only a greeting with a plugin can come back
            // unchanged.
            greeting.capabilities = greeting.capabilities.union(Capabilities::PLUGIN_AUTH);
            assert_eq!(
                Opening::parse(&greeting.encode()),
                Ok(Opening::Greeting(greeting))
            );
        }
        Ok(Opening::Error(err)) => {
            assert_eq!(Opening::parse(&err.encode()), Ok(Opening::Error(err)))
        }
        Err(_) => {}
    }
});
