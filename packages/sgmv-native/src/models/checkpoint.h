// Reads a model's weights out of safetensors or GGUF into the layout of the kernels.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "formats/tensor_source.h"
#include "layers/fused_linear.h"
#include "sgmv/model_config.h"

namespace sgmv {

class Checkpoint {
 public:
  // A folder with safetensors or a .gguf file. Throws Error or FormatError.
  Checkpoint(const std::filesystem::path& weights, const ModelConfig& config, WeightType compute);

  bool is_gguf() const { return gguf_; }
  bool has(const std::string& name) const { return find(name) != nullptr; }
  std::vector<float> vector(const std::string& name, int64_t size) const;
  std::vector<float> norm(const std::string& name, int64_t size) const;  // the factors, whatever the file's convention
  // Of the heads of q or of k, of one or of all together: [heads · head_dim] with qk_norm_of_all or qk_layer_norms, otherwise [head_dim].
  std::vector<float> heads_norm(const std::string& name, int32_t heads, int64_t dim) const;
  // Of the residual: factors [hidden] and, of layer_norms, what is added [hidden].
  std::vector<float> residual_norm(const std::string& name) const;
  // Of linear attention: the convolution, [taps, conv_width], and what softplus is multiplied by, [value_heads].
  std::vector<float> conv(const std::string& name) const;
  std::vector<float> decay_rates(const std::string& name) const;
  std::vector<float> final_norm() const;  // logit_scale included
  // What softplus makes of its numbers; names begin with `prefix`.
  Xielu xielu(const std::string& prefix) const;
  std::vector<float> router_norm(const std::string& name) const;  // of experts that stand apart: its weights, divided by √hidden_size
  PackedMatrix matrix(const std::string& name, int64_t out, int64_t in) const;
  // Rows of one matrix: a tensor's own, some from a row on where it has `stacked_rows`, or those of an expert in one that holds all
  // experts' [experts, stacked_rows, in], or of a head where `matrices` says how many it holds.
  struct Part {
    std::string module;
    int64_t out;
    bool bias;
    int32_t expert = -1;
    int64_t first_row = 0, stacked_rows = 0;
    // bare: `module` is the tensor's own name, "<module>_bias" that of its biases.
    // transposed: all experts' matrices are [experts, in, stacked_rows], unless they are bare and in MXFP4, which lies by rows.
    bool bare = false, transposed = false;
    bool in_turns = false;  // rows of two matrices of a size in turns, of which the first one's come first here
    int64_t matrices = 0;   // 0: as many as experts
    std::string fused = {}; // the module whose tensor holds the rows in place of its own
    const std::string& stored() const { return fused.empty() ? module : fused; }
    std::string tensor() const { return bare ? stored() : stored() + ".weight"; }
    std::string biases() const { return stored() + (bare ? "_bias" : ".bias"); }
  };
  DType rounded_type(const std::string& name) const;   // of GGUF, that of the file; otherwise F32: numbers are the checkpoint's own
  std::vector<int64_t> shape(const std::string& name) const;  // empty: there is no such tensor
  // The matrices below each other, with their biases when the names of biases are wanted and there.
  Linear linear(const std::vector<Part>& parts, int64_t in) const { return linear(parts, in, compute_); }
  Linear linear(const std::vector<Part>& parts, int64_t in, WeightType compute) const;
  // A matrix of rows that were made of those of `parts`: [out, in], in the narrowest form that holds the parts' numbers.
  PackedMatrix remade(const std::vector<Part>& parts, int64_t parts_in, std::span<const float> rows, int64_t out, int64_t in) const;
  // Calls visit(row, values [in]) for every row of the matrices below each other. It throws std::range_error for numbers that
  // it cannot pack.
  void for_each_row(const std::vector<Part>& parts, int64_t in, const std::function<void(int64_t, std::span<const float>)>& visit) const;
  bool same_matrix(const std::string& one, const std::string& other, int64_t out, int64_t in) const;  // in value, whatever the types
  std::vector<float> biases(const std::vector<Part>& parts) const;  // [out]; empty: no part has one

 private:
  std::string stored_name(const std::string& name) const;
  template <typename Pack>
  void packed(const std::string& name, Pack pack) const;
  const TensorInfo* find(const std::string& name) const;
  const TensorInfo& require(const std::string& name, const std::vector<int64_t>& shape) const;
  TensorInfo require(const Part& part, int64_t in) const;
  std::vector<std::byte> read(const std::string& name, const TensorInfo& info) const;  // refuses NaN and infinity
  std::vector<float> numbers(const std::string& name, const TensorInfo& info) const;
  float number(const std::string& name) const;
  // A matrix as its rows are multiplied: as the file has it, or widened with its scales where it is F8_E4M3.
  struct Rows { DType dtype; std::vector<std::byte> data; };
  DType rows_type(const TensorInfo& info) const { return info.dtype == DType::f8_e4m3 ? DType::f32 : info.dtype; }
  DType form_type(const TensorInfo& info, WeightType compute) const;  // what the form is chosen by in which they are kept
  DType form_type(const Part& part, int64_t in, WeightType compute) const;
  bool has_tiled_inputs(const Part& part) const;
  bool splits_blocks(const Part& part, DType dtype) const;
  static void widen_blocks(Rows& stored);
  Rows by_key_head(Rows stored) const;
  // Which of `matrices` below each other, 0: it is alone in its tensor; how large it is, 0 rows: what is asked for is all of it.
  struct MatrixPlace { int64_t matrices = 0, matrix = 0, rows = 0, first_row = 0, columns = 0; bool by_input = false; };
  Rows rows(const std::string& name, const TensorInfo& info, MatrixPlace place) const;
  Rows rows(const std::string& name, const TensorInfo& info) const { return rows(name, info, MatrixPlace()); }
  Rows rows(const Part& part, int64_t in) const;
  std::vector<float> bias(const Part& part) const;
  struct Scales { std::vector<float> values; int64_t block_rows, block_columns, columns; };
  Scales scales_of(const std::string& name, const MatrixPlace& place) const;
  std::vector<int32_t> row_order(const std::string& name, int64_t rows) const;
  std::vector<int32_t> row_order(const Part& part) const;

  std::unique_ptr<TensorSource> source_;
  const ModelConfig& config_;
  const WeightType compute_;
  bool gguf_ = false;
  // In safetensors of a vision model, what its language model's names begin with instead of "model.".
  std::string layers_prefix_ = "model.";
};

}  // namespace sgmv
