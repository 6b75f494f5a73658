// Golden outputs of Transformers + PEFT, and the plain driver that runs a model over a whole prompt.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "formats/json.h"
#include "formats/safetensors.h"
#include "sgmv/model.h"

namespace sgmv::test {

struct GoldenCase {
  std::string name;
  std::string adapter;  // empty: the base model
  std::vector<int32_t> prompt;
  std::vector<int32_t> greedy;  // may be empty
  std::vector<double> gaps;
};

class GoldenFolder {
 public:
  explicit GoldenFolder(const std::filesystem::path& folder);
  const std::vector<GoldenCase>& cases() const { return cases_; }
  const std::filesystem::path& model() const { return model_; }  // a folder, of its own or another's; not there: the model has a name
  size_t row_width(const GoldenCase& golden) const;  // of a row of logits(): the tokens that are in the sample
  std::vector<float> logits(const GoldenCase& golden) const;
  // What the reference has of `found`, logits of every prompt position [prompt, vocabulary] or of the last one: all of them, or those of NAME/positions
  // and NAME/tokens.
  std::vector<float> sample(const GoldenCase& golden, const std::vector<float>& found) const;

 private:
  template <typename T>
  std::vector<T> tensor(const std::string& name) const;

  std::vector<GoldenCase> cases_;
  std::filesystem::path model_;
  std::unique_ptr<SafetensorsFile> file_;
};

std::filesystem::path golden_root();      // test/golden
// The folders of tiny models there or, if that is set, in SGMV_GOLDEN or SGMV_GOLDEN/tiny.
std::vector<std::filesystem::path> golden_families();
std::filesystem::path smollm2_weights();  // throws Skip when they are not in the cache

// A sequence in a cache of its own.
class Session {
 public:
  Session(Model& model, const Adapter* adapter, int32_t positions, int32_t block_size = 16);
  // Feeds tokens in one step, the first time the prompt; returns the logits of all of them, or of the last one only.
  std::vector<float> feed(const std::vector<int32_t>& tokens, bool all);

 private:
  Model& model_;
  const Adapter* adapter_;
  std::unique_ptr<KvCache> cache_;
  std::vector<int32_t> blocks_;
  int32_t position_ = 0, state_ = 0;  // its slot
  int32_t adapted_from_ = 0;
};

struct Difference {
  double absolute = 0, relative = 0;  // relative to the largest expected magnitude
};
Difference compare(const std::vector<float>& found, const std::vector<float>& expected);

}  // namespace sgmv::test
