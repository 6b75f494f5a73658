// A PEFT LoRA adapter on disk, checked against a model.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "formats/peft_config.h"
#include "formats/peft_targets.h"
#include "formats/safetensors.h"

namespace sgmv {

struct NamedTensor {
  std::string name;
  TensorInfo info;
  // Element (row, column) of it is number first + row · row_step + column · step of another one; row_step 0: it is the tensor as it is.
  struct View { TensorInfo matrix; int64_t first = 0, row_step = 0, step = 0; } view = {};
};

// A target with its two tensors: A [rank, in], B [out, rank]; those of an embedding are A [rank, vocabulary],
// B [hidden, rank].
struct PeftPair {
  LoraTarget target;
  NamedTensor a, b;
  std::optional<NamedTensor> magnitude;   // [out], of DoRA
  // PEFT saves embed_tokens and lm_head with their adapter: [vocabulary, hidden], and a bias of the head [vocabulary].
  std::optional<NamedTensor> base_layer, base_bias;
  bool again = false;                     // of the tensors of the pair before: values that are keys
};

// Rows of the embedding, the head or both that are the adapter's own: [tokens, hidden] in the order of `tokens`.
struct PeftRows {
  bool of_embedding = false, of_head = false;
  std::vector<int32_t> tokens;
  NamedTensor rows;
};

class PeftAdapter {
 public:
  // Reads the configuration and the tensor headers. Everything wrong goes to `problems`. Throws Error
  // adapter_not_found when the folder cannot be read.
  PeftAdapter(const std::filesystem::path& folder, const ModelConfig& model, ProblemList& problems);

  const PeftConfig& config() const { return config_; }
  const std::vector<PeftPair>& pairs() const { return pairs_; }  // in order of layer, then projection
  const std::vector<PeftRows>& rows() const { return rows_; }
  bool readable() const { return file_ != nullptr && readable_; }

  // A tensor's data; NaN and Inf in it are added to `problems`.
  std::vector<std::byte> read_checked(const NamedTensor& tensor, ProblemList& problems) const;

 private:
  void open_config(const std::filesystem::path& folder, ProblemList& problems);
  void open_weights(const std::filesystem::path& folder, ProblemList& problems);
  void adapt_values(const ModelConfig& model);
  std::vector<std::byte> read_view(const NamedTensor& tensor) const;

  PeftConfig config_;
  std::unique_ptr<SafetensorsFile> file_;
  std::vector<PeftPair> pairs_;
  std::vector<PeftRows> rows_;
  bool readable_ = false;
  mutable std::map<uint64_t, std::vector<std::byte>> matrices_;  // the last ones that views were taken of, by their place in the file
};

// The tensor headers against the targets (peft_tensors.cc): every target has its pair, every tensor its target, and
// shapes and types fit. `rows` get their tensors; those without one leave.
std::vector<PeftPair> match_tensors(const TensorSource& file, const std::vector<LoraTarget>& targets, bool dora, std::vector<PeftRows>& rows,
                                    const ModelConfig& model, ProblemList& problems, std::string_view prefix);

// Whether all that the adapter changes sees images.
bool only_sees_images(const TensorSource& file);

// Whether routers and each expert's projections were modules where the adapter was trained. `and_parameters`: it has
// target_parameters too, of which a router's tensors may be.
bool adapts_mixtures(const TensorSource& file, bool and_parameters);

// What the modules of the model are called that the adapter was trained on (module_names.h), by the names of its tensors.
std::string_view module_prefix(const TensorSource& file);

}  // namespace sgmv
