//! Hash tables for look-ups that happen often.

/// A hash map with a hash function that is several times as fast as the standard one. Its seed
/// differs from run to run, so that input cannot be made to collide.
pub type FastMap<K, V> = std::collections::HashMap<K, V, foldhash::fast::RandomState>;

/// A hash set with the same.
pub type FastSet<T> = std::collections::HashSet<T, foldhash::fast::RandomState>;
