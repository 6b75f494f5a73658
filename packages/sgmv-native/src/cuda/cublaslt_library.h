// cuBLASLt as found on the machine: the engine is not linked against it, so that it also starts where there is none.
#pragma once

#include <cublasLt.h>

#include <string>

namespace sgmv::cuda {

struct CublasLtLibrary {
  decltype(&cublasLtCreate) create;
  decltype(&cublasLtDestroy) destroy;
  decltype(&cublasLtGetVersion) get_version;
  decltype(&cublasLtGetStatusName) status_name;
  decltype(&cublasLtMatmul) matmul;
  decltype(&cublasLtMatmulAlgoGetHeuristic) get_heuristic;
  decltype(&cublasLtMatmulDescCreate) desc_create;
  decltype(&cublasLtMatmulDescDestroy) desc_destroy;
  decltype(&cublasLtMatmulDescSetAttribute) desc_set;
  decltype(&cublasLtMatrixLayoutCreate) layout_create;
  decltype(&cublasLtMatrixLayoutDestroy) layout_destroy;
  decltype(&cublasLtMatmulPreferenceCreate) preference_create;
  decltype(&cublasLtMatmulPreferenceDestroy) preference_destroy;
  decltype(&cublasLtMatmulPreferenceSetAttribute) preference_set;
};

// Loads the library with the first call, for the rest of the process. Throws Error("device_unavailable") that names every
// file that was tried: the one that SGMV_CUBLASLT names, or else libcublasLt.so in several versions.
const CublasLtLibrary& cublaslt_library();

std::string cublaslt_version(const CublasLtLibrary& library);

}  // namespace sgmv::cuda
