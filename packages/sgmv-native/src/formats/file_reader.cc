#include "formats/file_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "sgmv/error.h"

namespace sgmv {

FileReader::FileReader(const std::filesystem::path& path) : path_(path) {
  // O_NONBLOCK keeps a FIFO in an uploaded folder from blocking the open for ever.
  fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd_ < 0) throw Error("io_error", path.string() + ": cannot be opened: " + std::strerror(errno));
  struct stat status {};
  if (::fstat(fd_, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(fd_);
    throw Error("io_error", path.string() + ": is not a regular file");
  }
  size_ = static_cast<uint64_t>(status.st_size);
}

FileReader::~FileReader() { ::close(fd_); }

void FileReader::read(uint64_t offset, void* out, size_t bytes) const {
  if (offset > size_ || bytes > size_ - offset)
    throw Error("io_error", path_.string() + ": " + std::to_string(bytes) + " bytes at offset " +
                                std::to_string(offset) + " lie outside the file of " + std::to_string(size_) + " bytes");
  auto* at = static_cast<char*>(out);
  while (bytes > 0) {
    const ssize_t got = ::pread(fd_, at, bytes, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) throw Error("io_error", path_.string() + ": cannot be read: " + (got < 0 ? std::strerror(errno) : "the file became shorter"));
    at += got;
    offset += static_cast<uint64_t>(got);
    bytes -= static_cast<size_t>(got);
  }
}

bool file_exists(const std::filesystem::path& path) {
  std::error_code error;
  return std::filesystem::status(path, error).type() != std::filesystem::file_type::not_found;
}

std::string read_text_file(const std::filesystem::path& path, uint64_t bytes_max) {
  const FileReader file(path);
  if (file.size() > bytes_max)
    throw Error("io_error", path.string() + ": has " + std::to_string(file.size()) + " bytes, at most " +
                                std::to_string(bytes_max) + " are expected");
  std::string text(file.size(), '\0');
  file.read(0, text.data(), text.size());
  return text;
}

}  // namespace sgmv
