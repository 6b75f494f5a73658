// Which block holds which tokens, after which other tokens.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace sgmv {

// Requests of one scope may share blocks.
struct PrefixScope {
  uint64_t adapter = 0;  // serial of the resident adapter; 0: the base model
  std::string_view salt = {};
  bool long_context = false;  // Sequence::long_context()
  int32_t adapted_from = 0;   // the position where the adapter begins to act

  bool operator==(const PrefixScope&) const = default;
};

// One full block's tokens and what came before them. Identities are never used twice, so equal keys mean equal
// tokens all the way back to the start, in the same scope.
struct PrefixView {
  uint64_t parent;                 // identity of the block before; 0: this is the first block
  PrefixScope scope;               // its adapter acts from adapted_from of this block on; what else there is, others than first blocks inherit through their parent
  std::span<const int32_t> tokens;  // [block_size]
};

class PrefixIndex {
 public:
  using Hash = uint64_t (*)(const PrefixView&);
  static uint64_t hash(const PrefixView& view);

  // Keys are compared in full, so the outcome does not depend on the hash (a test passes a bad one).
  explicit PrefixIndex(Hash hash = PrefixIndex::hash) : entries_(0, Hasher{hash}) {}

  struct Key {
    uint64_t parent;
    uint64_t adapter;
    int32_t adapted_from;
    std::string salt;
    bool long_context;
    std::vector<int32_t> tokens;
    PrefixView view() const { return {parent, {adapter, salt, long_context, adapted_from}, tokens}; }
  };

  // The block, or -1.
  int32_t find(const PrefixView& view) const;
  // Adds a block under a key that is not there yet. The key lives until it is erased. Throws bad_alloc, and then
  // nothing has changed.
  const Key* insert(const PrefixView& view, int32_t block);
  void erase(const Key& key) noexcept;

 private:
  struct Hasher {
    using is_transparent = void;
    Hash hash;
    size_t operator()(const PrefixView& view) const { return hash(view); }
    size_t operator()(const Key& key) const { return hash(key.view()); }
  };
  struct Equal {
    using is_transparent = void;
    static bool same(const PrefixView& a, const PrefixView& b);
    bool operator()(const Key& a, const Key& b) const { return same(a.view(), b.view()); }
    bool operator()(const Key& a, const PrefixView& b) const { return same(a.view(), b); }
    bool operator()(const PrefixView& a, const Key& b) const { return same(a, b.view()); }
  };

  std::unordered_map<Key, int32_t, Hasher, Equal> entries_;
};

}  // namespace sgmv
