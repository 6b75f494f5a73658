#include "cuda/cublaslt_library.h"

#include <dlfcn.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "sgmv/error.h"

namespace sgmv::cuda {
namespace {

template <typename Function>
void find(void* library, const std::string& file, const char* name, Function*& function) {
  function = reinterpret_cast<Function*>(dlsym(library, name));
  if (function == nullptr) throw Error("device_unavailable", "cuBLASLt in " + file + " has no " + name + ": the file is too old or another library");
}

CublasLtLibrary functions_of(void* library, const std::string& file) {
  CublasLtLibrary found;
  find(library, file, "cublasLtCreate", found.create);
  find(library, file, "cublasLtDestroy", found.destroy);
  find(library, file, "cublasLtGetVersion", found.get_version);
  find(library, file, "cublasLtGetStatusName", found.status_name);
  find(library, file, "cublasLtMatmul", found.matmul);
  find(library, file, "cublasLtMatmulAlgoGetHeuristic", found.get_heuristic);
  find(library, file, "cublasLtMatmulDescCreate", found.desc_create);
  find(library, file, "cublasLtMatmulDescDestroy", found.desc_destroy);
  find(library, file, "cublasLtMatmulDescSetAttribute", found.desc_set);
  find(library, file, "cublasLtMatrixLayoutCreate", found.layout_create);
  find(library, file, "cublasLtMatrixLayoutDestroy", found.layout_destroy);
  find(library, file, "cublasLtMatmulPreferenceCreate", found.preference_create);
  find(library, file, "cublasLtMatmulPreferenceDestroy", found.preference_destroy);
  find(library, file, "cublasLtMatmulPreferenceSetAttribute", found.preference_set);
  return found;
}

CublasLtLibrary load() {
  // 12 and 13 agree in all that is used here; the plain name is what a toolkit installs beside them.
  std::vector<std::string> files{"libcublasLt.so.13", "libcublasLt.so.12", "libcublasLt.so"};
  if (const char* named = std::getenv("SGMV_CUBLASLT"); named != nullptr && *named != '\0') files = {named};
  std::string tried;
  for (const std::string& file : files) {
    if (void* library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL)) return functions_of(library, file);
    tried += std::string(tried.empty() ? "" : "; ") + dlerror();
  }
  throw Error("device_unavailable",
              "cuBLASLt was not found (" + tried + "): install it where the system looks for libraries, or name the file with SGMV_CUBLASLT");
}

}  // namespace

const CublasLtLibrary& cublaslt_library() {
  static const CublasLtLibrary library = load();  // a load that threw is tried again
  return library;
}

std::string cublaslt_version(const CublasLtLibrary& library) {
  const size_t version = library.get_version();  // 120805: 12.8.5
  return std::to_string(version / 10000) + "." + std::to_string(version / 100 % 100) + "." + std::to_string(version % 100);
}

}  // namespace sgmv::cuda
