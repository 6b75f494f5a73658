#include "cuda_runtime.h"

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace {

using Work = std::function<void()>;
using Clock = std::chrono::steady_clock;

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "emulated device: %s\n", what);
  std::abort();
}

std::recursive_mutex mutex;  // of everything below; held while kernels run
std::map<const void*, size_t> device_memory;
size_t device_bytes = 0;
std::atomic<size_t> device_bytes_max{size_t{4} << 30};
std::atomic<bool> present{true};

}  // namespace

// What a point on a stream stands for: `done` becomes true when the work before it is.
struct Point {
  bool done = false;
  Clock::time_point time;
};

// How much of each stream's work of a capture comes before a point, in items.
using Past = std::map<cudaStream_t, size_t>;
static void join(Past& past, const Past& other) {
  for (const auto& [stream, items] : other) past[stream] = std::max(past[stream], items);
}

struct EmulatedGraph {
  std::vector<Work> work;
  std::map<cudaStream_t, Past> streams;  // that take part in the capture, and what comes before their next item
  cudaStream_t first = nullptr;          // began it
  bool invalid = false;
};

struct EmulatedStream {
  struct Item {
    Work work;                        // or
    std::shared_ptr<Point> reached;   // or
    cudaStream_t other = nullptr;     // wait until `awaited` is reached there
    std::shared_ptr<Point> awaited;
  };
  std::deque<Item> items;
  std::shared_ptr<EmulatedGraph> capture;
};

struct EmulatedEvent {
  std::shared_ptr<Point> point;
  cudaStream_t stream = nullptr;
  std::shared_ptr<EmulatedGraph> captured_in;
  Past past;  // in that
};

namespace {

std::vector<cudaStream_t>& all_streams() {
  static std::vector<cudaStream_t> streams;
  return streams;
}

EmulatedStream default_stream;

cudaStream_t of(cudaStream_t stream) { return stream == nullptr ? &default_stream : stream; }

void do_first(cudaStream_t stream) {
  EmulatedStream::Item item = std::move(stream->items.front());
  stream->items.pop_front();
  if (item.work) item.work();
  if (item.reached) {
    item.reached->done = true;
    item.reached->time = Clock::now();
  }
  if (item.awaited)
    while (!item.awaited->done) {
      if (item.other->items.empty()) fail("a stream waits for an event that never comes");
      do_first(item.other);
    }
}

// What this thread records into. Calls that are refused meanwhile spoil the recording.
thread_local std::shared_ptr<EmulatedGraph> recording;
bool refused() {
  if (recording) recording->invalid = true;
  return recording != nullptr;
}

// Kernels' dynamic shared memory beyond 48 KB.
std::map<const void*, size_t> allowed_shared_bytes;

void finish(cudaStream_t stream) {
  if (stream->capture) fail("a stream is waited for while it captures");
  while (!stream->items.empty()) do_first(stream);
}

void finish_all() {
  finish(&default_stream);
  for (cudaStream_t stream : all_streams()) finish(stream);
}

// Device memory is told from the host's by its address, so that a copy in the wrong direction is seen.
bool is_device(const void* p) {
  auto after = device_memory.upper_bound(p);
  if (after == device_memory.begin()) return false;
  --after;
  return static_cast<const char*>(p) < static_cast<const char*>(after->first) + after->second;
}

void check_direction(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  if (bytes == 0 || kind == cudaMemcpyDefault) return;
  const bool to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
  const bool from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
  if (is_device(to) != to_device || is_device(from) != from_device) fail("a copy in another direction than its addresses");
}

thread_local cudaError_t last_error = cudaSuccess;
cudaError_t result(cudaError_t code) {
  if (code != cudaSuccess) last_error = code;
  return code;
}

}  // namespace

namespace sgmv::emulator {

cudaError_t enqueue(cudaStream_t stream, Work work) {
  const std::lock_guard lock(mutex);
  stream = of(stream);
  if (stream->capture) {
    stream->capture->work.push_back(std::move(work));
    ++stream->capture->streams[stream][stream];
  } else stream->items.push_back({std::move(work), nullptr, nullptr, nullptr});
  return cudaSuccess;
}

cudaError_t allow_shared_bytes(const void* kernel, int bytes) {
  const std::lock_guard lock(mutex);
  if (static_cast<size_t>(bytes) > kSharedBytesMax) return result(cudaErrorInvalidValue);
  allowed_shared_bytes[kernel] = static_cast<size_t>(bytes);
  return cudaSuccess;
}

cudaError_t check_launch(const void* kernel, const cudaLaunchConfig_t& c) {
  const std::lock_guard lock(mutex);
  const dim3 grid = c.gridDim, size = c.blockDim;
  const uint64_t threads = uint64_t{size.x} * size.y * size.z;
  const bool grid_fits = grid.x > 0 && grid.y > 0 && grid.z > 0 && grid.x <= INT32_MAX && grid.y <= 65535 && grid.z <= 65535;
  const auto allowed = allowed_shared_bytes.find(kernel);
  const size_t shared_max = std::max(kSharedBytesDefault, allowed == allowed_shared_bytes.end() ? size_t{0} : allowed->second);
  return result(grid_fits && threads > 0 && threads <= 1024 && c.dynamicSmemBytes <= shared_max ? cudaSuccess : cudaErrorInvalidValue);
}

bool count_device_bytes(int64_t more) {
  const std::lock_guard lock(mutex);
  if (more > 0 && device_bytes + static_cast<size_t>(more) > device_bytes_max) return false;
  device_bytes += static_cast<size_t>(more);
  return true;
}

void know_device_memory(const void* p, size_t bytes) {
  const std::lock_guard lock(mutex);
  if (bytes > 0) device_memory[p] = bytes;
  else device_memory.erase(p);
}

}  // namespace sgmv::emulator

using sgmv::emulator::enqueue;

// For tests: as if there were no device, or one with less memory.
void emulate_device(bool is_present, size_t bytes) {
  present = is_present;
  device_bytes_max = bytes;
}

size_t emulated_bytes_in_use() {
  const std::lock_guard lock(mutex);
  return device_bytes;
}

const char* cudaGetErrorName(cudaError_t code) { return code == cudaSuccess ? "cudaSuccess" : code == cudaErrorMemoryAllocation ? "cudaErrorMemoryAllocation" : "cudaError"; }
const char* cudaGetErrorString(cudaError_t code) { return code == cudaSuccess ? "no error" : code == cudaErrorMemoryAllocation ? "out of memory" : code == cudaErrorNoDevice ? "no CUDA-capable device is detected" : "invalid argument"; }
cudaError_t cudaGetLastError() { return std::exchange(last_error, cudaSuccess); }
cudaError_t cudaPeekAtLastError() { return last_error; }

cudaError_t cudaGetDeviceCount(int* count) {
  *count = present ? 1 : 0;
  return result(present ? cudaSuccess : cudaErrorNoDevice);
}
cudaError_t cudaSetDevice(int device) { return result(device == 0 && present ? cudaSuccess : cudaErrorInvalidDevice); }
cudaError_t cudaGetDevice(int* device) {
  *device = 0;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  if (device != 0) return result(cudaErrorInvalidDevice);
  *properties = {};
  std::strcpy(properties->name, "emulated device");
  properties->major = 8;
  properties->multiProcessorCount = 4;
  properties->l2CacheSize = 1 << 20;
  properties->totalGlobalMem = device_bytes_max;
  properties->sharedMemPerBlockOptin = sgmv::emulator::kSharedBytesMax;
  return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  cudaDeviceProp p;
  if (const cudaError_t code = cudaGetDeviceProperties(&p, device); code != cudaSuccess) return code;
  switch (attribute) {
    case cudaDevAttrMultiProcessorCount: *value = p.multiProcessorCount; break;
    case cudaDevAttrComputeCapabilityMajor: *value = p.major; break;
    case cudaDevAttrComputeCapabilityMinor: *value = p.minor; break;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin: *value = static_cast<int>(p.sharedMemPerBlockOptin); break;
    case cudaDevAttrL2CacheSize: *value = p.l2CacheSize; break;
  }
  return cudaSuccess;
}
cudaError_t cudaDriverGetVersion(int* version) { *version = present ? 13000 : 0; return cudaSuccess; }
cudaError_t cudaRuntimeGetVersion(int* version) { *version = 13000; return cudaSuccess; }
cudaError_t cudaDeviceSynchronize() {
  const std::lock_guard lock(mutex);
  if (refused()) return result(cudaErrorStreamCaptureUnsupported);
  finish_all();
  return cudaSuccess;
}
cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  const std::lock_guard lock(mutex);
  *total = device_bytes_max;
  *free = device_bytes_max - std::min<size_t>(device_bytes, device_bytes_max);
  return cudaSuccess;
}

static cudaError_t allocate(void** p, size_t bytes) {
  *p = nullptr;
  if (!present) return result(cudaErrorNoDevice);
  if (device_bytes + bytes > device_bytes_max) return result(cudaErrorMemoryAllocation);
  if (bytes == 0) return cudaSuccess;
  *p = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
  if (*p == nullptr) return result(cudaErrorMemoryAllocation);
  std::memset(*p, 0xFF, (bytes + 255) / 256 * 256);
  device_memory[*p] = bytes;
  device_bytes += bytes;
  return cudaSuccess;
}
cudaError_t cudaMalloc(void** p, size_t bytes) {
  const std::lock_guard lock(mutex);
  if (refused()) return result(cudaErrorStreamCaptureUnsupported);
  return allocate(p, bytes);
}
// What still reads it finds other data, as on a device.
static void give_back(void* p) {
  if (p == nullptr) return;
  const auto found = device_memory.find(p);
  if (found == device_memory.end()) fail("freed device memory that is not there");
  std::memset(p, 0xFF, found->second);
  device_bytes -= found->second;
  device_memory.erase(found);
  std::free(p);
}
cudaError_t cudaFree(void* p) {
  const std::lock_guard lock(mutex);
  if (refused()) return result(cudaErrorStreamCaptureUnsupported);
  finish_all();
  give_back(p);
  return cudaSuccess;
}
cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t* pool, int) {
  *pool = nullptr;
  return cudaSuccess;
}
cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t, cudaMemPoolAttr, void*) { return cudaSuccess; }
cudaError_t cudaMemPoolTrimTo(cudaMemPool_t, size_t) { return cudaSuccess; }
cudaError_t cudaMallocAsync(void** p, size_t bytes, cudaStream_t stream) {
  const std::lock_guard lock(mutex);
  if (of(stream)->capture) fail("memory of a graph's own is not emulated");
  return allocate(p, bytes);
}
cudaError_t cudaFreeAsync(void* p, cudaStream_t stream) {
  return enqueue(stream, [p] { give_back(p); });
}
cudaError_t cudaMallocHost(void** p, size_t bytes) {
  if (refused()) return result(cudaErrorStreamCaptureUnsupported);
  *p = std::malloc(bytes == 0 ? 1 : bytes);
  if (*p != nullptr) std::memset(*p, 0xFF, bytes);
  return result(*p == nullptr ? cudaErrorMemoryAllocation : cudaSuccess);
}
cudaError_t cudaFreeHost(void* p) {
  if (refused()) return result(cudaErrorStreamCaptureUnsupported);
  cudaDeviceSynchronize();
  std::free(p);
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  const std::lock_guard lock(mutex);
  check_direction(to, from, bytes, kind);
  return enqueue(stream, [=] { if (bytes > 0) std::memmove(to, from, bytes); });
}
cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  const std::lock_guard lock(mutex);
  if (refused()) return result(cudaErrorStreamCaptureUnsupported);
  cudaMemcpyAsync(to, from, bytes, kind, nullptr);
  finish(&default_stream);
  return cudaSuccess;
}
cudaError_t cudaMemsetAsync(void* p, int value, size_t bytes, cudaStream_t stream) {
  return enqueue(stream, [=] { if (bytes > 0) std::memset(p, value, bytes); });
}
cudaError_t cudaMemset(void* p, int value, size_t bytes) {
  const std::lock_guard lock(mutex);
  if (refused()) return result(cudaErrorStreamCaptureUnsupported);
  cudaMemsetAsync(p, value, bytes, nullptr);
  finish(&default_stream);
  return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  const std::lock_guard lock(mutex);
  all_streams().push_back(*stream = new EmulatedStream);
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  const std::lock_guard lock(mutex);
  finish(stream);
  std::erase(all_streams(), stream);
  delete stream;
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  const std::lock_guard lock(mutex);
  if (refused()) return result(cudaErrorStreamCaptureUnsupported);
  finish(of(stream));
  return cudaSuccess;
}
cudaError_t cudaStreamQuery(cudaStream_t stream) {
  const std::lock_guard lock(mutex);
  if (refused()) return result(cudaErrorStreamCaptureUnsupported);
  return of(stream)->items.empty() ? cudaSuccess : cudaErrorNotReady;
}
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  *event = new EmulatedEvent;
  return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  const std::lock_guard lock(mutex);
  stream = of(stream);
  event->stream = stream;
  event->captured_in = stream->capture;
  if (stream->capture) {
    event->past = stream->capture->streams[stream];
    return cudaSuccess;
  }
  event->point = std::make_shared<Point>();
  stream->items.push_back({nullptr, event->point, nullptr, nullptr});
  return cudaSuccess;
}
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  const std::lock_guard lock(mutex);
  stream = of(stream);
  if (event->captured_in) {
    if (stream->capture && stream->capture != event->captured_in) fail("a capture waits for an event of another");
    if (!stream->capture) {
      if (!stream->items.empty()) finish(stream);
      stream->capture = event->captured_in;
    }
    join(stream->capture->streams[stream], event->past);
    return cudaSuccess;
  }
  if (stream->capture) fail("a capture waits for an event from outside");
  if (event->point) stream->items.push_back({nullptr, nullptr, event->stream, event->point});
  return cudaSuccess;
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  const std::lock_guard lock(mutex);
  if (refused()) return result(cudaErrorStreamCaptureUnsupported);
  while (event->point && !event->point->done) do_first(event->stream);
  return cudaSuccess;
}
cudaError_t cudaEventQuery(cudaEvent_t event) {
  const std::lock_guard lock(mutex);
  if (refused()) return result(cudaErrorStreamCaptureUnsupported);
  return !event->point || event->point->done ? cudaSuccess : cudaErrorNotReady;
}
cudaError_t cudaEventElapsedTime(float* ms, cudaEvent_t from, cudaEvent_t to) {
  *ms = std::chrono::duration<float, std::milli>(to->point->time - from->point->time).count();
  return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  const std::lock_guard lock(mutex);
  if (stream == nullptr || stream->capture) return result(cudaErrorStreamCaptureUnsupported);
  recording = stream->capture = std::make_shared<EmulatedGraph>();
  recording->first = stream;
  recording->streams[stream] = {};
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  const std::lock_guard lock(mutex);
  const std::shared_ptr<EmulatedGraph> capture = stream->capture;
  if (!capture || capture->first != stream) return result(cudaErrorStreamCaptureUnsupported);
  recording = nullptr;
  *graph = nullptr;
  const Past joined = capture->streams[stream];
  bool all_joined = true;
  for (const auto& [part, past] : capture->streams) {
    part->capture = nullptr;
    const auto own = past.find(part), seen = joined.find(part);
    all_joined = all_joined && (own == past.end() || (seen != joined.end() && seen->second >= own->second));
  }
  if (capture->invalid) return result(cudaErrorStreamCaptureInvalidated);
  if (!all_joined) return result(cudaErrorStreamCaptureUnjoined);
  *graph = new EmulatedGraph{capture->work, {}, nullptr, false};
  return cudaSuccess;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph, unsigned long long) {
  *exec = new EmulatedGraph(*graph);
  return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream) {
  return enqueue(stream, [work = exec->work] { for (const Work& item : work) item(); });
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) {
  delete exec;
  return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}
