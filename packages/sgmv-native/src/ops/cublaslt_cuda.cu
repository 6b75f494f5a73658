#include <algorithm>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "cuda/cublaslt_library.h"
#include "cuda/memory.h"
#include "ops/e4m3_cuda.h"
#include "ops/linear_cuda.h"
#include "sgmv/error.h"

namespace sgmv::cuda {
namespace {

constexpr size_t kWorkspaceBytes = size_t{32} << 20;  // what NVIDIA recommends for compute capability 9.0
constexpr int64_t kAlignmentMax = 256;                // more makes no difference to the library

// All that decides how a product is computed. For e4m3 x is what quantize_rows() leaves.
struct Problem {
  Number type;
  bool e4m3;
  int64_t tokens, out, in, w_stride, x_stride, y_stride;
  int64_t w_alignment, x_alignment, y_alignment;  // of addresses, in bytes

  auto tie() const { return std::tie(type, e4m3, tokens, out, in, w_stride, x_stride, y_stride, w_alignment, x_alignment, y_alignment); }
  bool operator<(const Problem& other) const { return tie() < other.tie(); }

  cudaDataType_t input_type() const {
    if (e4m3) return CUDA_R_8F_E4M3;
    return type == Number::f32 ? CUDA_R_32F : type == Number::f16 ? CUDA_R_16F : CUDA_R_16BF;
  }
  std::string text() const {
    const char* name = e4m3 ? "e4m3" : type == Number::f32 ? "f32" : type == Number::f16 ? "f16" : "bf16";
    return "cuBLASLt, [" + std::to_string(tokens) + ", " + std::to_string(in) + "] · [" + std::to_string(out) + ", " + std::to_string(in) + "]ᵀ in " + name;
  }
};

int64_t alignment_of(const void* p) {
  const auto address = reinterpret_cast<uintptr_t>(p) | static_cast<uintptr_t>(kAlignmentMax);
  return static_cast<int64_t>(address & (~address + 1));
}

void check_status(const CublasLtLibrary& library, cublasStatus_t status, const Problem& problem, const char* what) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  throw Error(status == CUBLAS_STATUS_ALLOC_FAILED ? "out_of_memory" : "device_failed", problem.text() + ": " + what + ": " + library.status_name(status));
}

// What the library answers where it, or the device, cannot do what is asked, and nothing is broken.
bool is_refusal(cublasStatus_t status) {
  return status == CUBLAS_STATUS_NOT_SUPPORTED || status == CUBLAS_STATUS_INVALID_VALUE || status == CUBLAS_STATUS_ARCH_MISMATCH;
}

// Owns what one of the library's create functions made.
template <typename Handle>
class Owned {
 public:
  explicit Owned(cublasStatus_t (*destroy)(Handle)) : destroy_(destroy) {}
  ~Owned() {
    if (handle_ != nullptr) destroy_(handle_);
  }
  Owned(Owned&& other) noexcept : destroy_(other.destroy_), handle_(std::exchange(other.handle_, nullptr)) {}
  operator Handle() const { return handle_; }
  Handle* place() { return &handle_; }

 private:
  cublasStatus_t (*destroy_)(Handle);
  Handle handle_ = nullptr;
};

// How to compute one problem. The library's matrices are column by column, so that it sees Wᵀ [in, out], xᵀ [in, tokens] and
// yᵀ [out, tokens], of which it computes yᵀ = (Wᵀ)ᵀ · xᵀ.
struct Plan {
  Owned<cublasLtMatmulDesc_t> product;
  Owned<cublasLtMatrixLayout_t> w, x, y;
  cublasLtMatmulAlgo_t algorithm;
  bool possible = false;  // otherwise our own kernels do the work
};

}  // namespace

class CublasLt::Impl {
 public:
  Impl() : library_(cublaslt_library()), handle_(library_.destroy), workspace_(kWorkspaceBytes) {
    int device = 0;
    check(cudaGetDevice(&device), "finding the device");
    check(cudaDeviceGetAttribute(&capability_major_, cudaDevAttrComputeCapabilityMajor, device), "asking what the device can do");
    const cublasStatus_t status = library_.create(handle_.place());
    if (status == CUBLAS_STATUS_SUCCESS) return;
    throw Error("device_unavailable", "cuBLASLt " + version() + " does not start: " + library_.status_name(status));
  }

  void linear(cudaStream_t stream, const LinearWork& work) {
    if (work.tokens == 0) return;
    if (work.weights->format == LinearWeights::Format::e4m3) return linear_e4m3(stream, work);
    if (!multiply(stream, problem_of(work, work.x, work.x_stride, false), work, work.x, nullptr)) cuda::linear(stream, work);
  }

  std::string version() const { return cublaslt_version(library_); }

 private:
  struct Scratch {
    DeviceArray<uint8_t> codes;   // [tokens, padded(in)]
    DeviceArray<float> scales;    // [tokens]
  };

  static Problem problem_of(const LinearWork& work, const void* x, int64_t x_stride, bool e4m3) {
    const LinearWeights& weights = *work.weights;
    // Both rows have zeros up to padded(in), and the library is faster with round numbers.
    return {work.type, e4m3, work.tokens, weights.out, padded(weights.in), weights.stride, x_stride, work.y_stride,
            alignment_of(weights.data), alignment_of(x), alignment_of(work.y)};
  }

  void linear_e4m3(cudaStream_t stream, const LinearWork& work) {
    const int64_t columns = padded(work.weights->in);
    if (capability_major_ >= 9) {  // the first to multiply with a scale per row of both matrices
      const Scratch& scratch = scratch_for(work.tokens, columns);
      const Problem problem = problem_of(work, scratch.codes.data(), columns, true);
      if (plan_for(problem).possible) {
        quantize_rows(stream, work.type, work.x, work.x_stride, work.tokens, work.weights->in, scratch.codes.data(), scratch.scales.data());
        if (multiply(stream, problem, work, scratch.codes.data(), scratch.scales.data())) return;
      }
    }
    cuda::linear(stream, work);
  }

  // Whether the library has a way. Scales: of e4m3 only.
  bool multiply(cudaStream_t stream, const Problem& problem, const LinearWork& work, const void* x, const float* x_scales) {
    Plan& plan = plan_for(problem);
    if (!plan.possible) return false;
    if (problem.e4m3) {
      set(problem, plan, CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, work.weights->scales);
      set(problem, plan, CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, x_scales);
    }
    const float one = 1, zero = 0;
    const cublasStatus_t status = library_.matmul(handle_, plan.product, &one, work.weights->data, plan.w, x, plan.x, &zero, work.y, plan.y, work.y, plan.y,
                                                  &plan.algorithm, workspace_.data(), workspace_.bytes(), stream);
    plan.possible = !is_refusal(status);
    if (plan.possible) check_status(library_, status, problem, "starting it");
    return plan.possible;
  }

  // Grows outside of graphs only. What is outgrown stays: graphs that were recorded with it still write there.
  const Scratch& scratch_for(int64_t tokens, int64_t columns) {
    const auto codes = static_cast<size_t>(tokens * columns), rows = static_cast<size_t>(tokens);
    const bool none = scratch_.empty();
    if (none || scratch_.back().codes.size() < codes || scratch_.back().scales.size() < rows) {
      const size_t codes_before = none ? 0 : scratch_.back().codes.size(), rows_before = none ? 0 : scratch_.back().scales.size();
      const auto grown = [](size_t before, size_t needed) { return before >= needed ? before : std::max(needed, 2 * before); };
      scratch_.push_back({DeviceArray<uint8_t>(grown(codes_before, codes)), DeviceArray<float>(grown(rows_before, rows))});
    }
    return scratch_.back();
  }

  Plan& plan_for(const Problem& problem) {
    const auto found = plans_.find(problem);
    return found != plans_.end() ? found->second : plans_.emplace(problem, make_plan(problem)).first->second;
  }

  Plan make_plan(const Problem& p) {
    Plan plan{Owned(library_.desc_destroy), Owned(library_.layout_destroy), Owned(library_.layout_destroy), Owned(library_.layout_destroy), {}, false};
    check_status(library_, library_.desc_create(plan.product.place(), CUBLAS_COMPUTE_32F, CUDA_R_32F), p, "describing it");
    set(p, plan, CUBLASLT_MATMUL_DESC_TRANSA, CUBLAS_OP_T);
    if (p.e4m3 && !scales_per_row(plan)) return plan;
    const auto describe = [&](Owned<cublasLtMatrixLayout_t>& layout, cudaDataType_t type, int64_t rows, int64_t columns, int64_t stride, const char* what) {
      check_status(library_, library_.layout_create(layout.place(), type, static_cast<uint64_t>(rows), static_cast<uint64_t>(columns), stride), p, what);
    };
    describe(plan.w, p.input_type(), p.in, p.out, p.w_stride, "describing W");
    describe(plan.x, p.input_type(), p.in, p.tokens, p.x_stride, "describing x");
    describe(plan.y, CUDA_R_32F, p.out, p.tokens, p.y_stride, "describing y");
    choose_algorithm(p, plan);
    return plan;
  }

  void choose_algorithm(const Problem& p, Plan& plan) {
    Owned<cublasLtMatmulPreference_t> preference(library_.preference_destroy);
    check_status(library_, library_.preference_create(preference.place()), p, "describing what is preferred");
    const auto prefer = [&](cublasLtMatmulPreferenceAttributes_t attribute, auto value) {
      check_status(library_, library_.preference_set(preference, attribute, &value, sizeof value), p, "describing what is preferred");
    };
    prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, static_cast<uint64_t>(workspace_.bytes()));
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, static_cast<uint32_t>(p.w_alignment));
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, static_cast<uint32_t>(p.x_alignment));
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, static_cast<uint32_t>(p.y_alignment));
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, static_cast<uint32_t>(p.y_alignment));
    cublasLtMatmulHeuristicResult_t best;
    int count = 0;
    const cublasStatus_t status = library_.get_heuristic(handle_, plan.product, plan.w, plan.x, plan.y, plan.y, preference, 1, &best, &count);
    if (is_refusal(status) || (status == CUBLAS_STATUS_SUCCESS && (count == 0 || is_refusal(best.state)))) return;
    check_status(library_, status, p, "choosing how to compute it");
    check_status(library_, best.state, p, "choosing how to compute it");
    plan.algorithm = best.algo;
    plan.possible = true;
  }

  // False where the library is from before there were such scales.
  bool scales_per_row(const Plan& plan) {
    const int32_t mode = CUBLASLT_MATMUL_MATRIX_SCALE_OUTER_VEC_32F;
    const void* pointer = workspace_.data();  // the choice asks for some; each product has its own
    const auto accepted = [&](cublasLtMatmulDescAttributes_t attribute, const void* value, size_t bytes) {
      return library_.desc_set(plan.product, attribute, value, bytes) == CUBLAS_STATUS_SUCCESS;
    };
    return accepted(CUBLASLT_MATMUL_DESC_A_SCALE_MODE, &mode, sizeof mode) && accepted(CUBLASLT_MATMUL_DESC_B_SCALE_MODE, &mode, sizeof mode) &&
           accepted(CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, &pointer, sizeof pointer) && accepted(CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, &pointer, sizeof pointer);
  }

  template <typename T>
  void set(const Problem& problem, const Plan& plan, cublasLtMatmulDescAttributes_t attribute, T value) {
    check_status(library_, library_.desc_set(plan.product, attribute, &value, sizeof value), problem, "describing it");
  }

  const CublasLtLibrary& library_;
  Owned<cublasLtHandle_t> handle_;
  DeviceArray<std::byte> workspace_;
  std::vector<Scratch> scratch_;
  std::map<Problem, Plan> plans_;
  int capability_major_ = 0;
};

CublasLt::CublasLt() : impl_(std::make_unique<Impl>()) {}
CublasLt::~CublasLt() = default;
void CublasLt::linear(cudaStream_t stream, const LinearWork& work) { impl_->linear(stream, work); }
std::string CublasLt::version() const { return impl_->version(); }

}  // namespace sgmv::cuda
