// What a bench run leaves: rows {"id", "value", "target", "unit"}, one JSON object a line, and the same for people.
#pragma once

#include <cstdio>
#include <optional>
#include <string>

namespace sgmv::bench {

class Rows {
 public:
  explicit Rows(std::FILE* json) : json_(json) {}  // null: for people only

  void add(const std::string& id, double value, const std::string& unit, std::optional<double> target = {}) {
    std::printf("%-52s %12.4g %s%s\n", id.c_str(), value, unit.c_str(), target ? (" (target " + std::to_string(*target) + ")").c_str() : "");
    std::fflush(stdout);
    if (json_ == nullptr) return;
    std::fprintf(json_, "{\"id\":\"%s\",\"value\":%.6g,\"target\":%s,\"unit\":\"%s\"}\n", id.c_str(), value,
                 target ? std::to_string(*target).c_str() : "null", unit.c_str());
    std::fflush(json_);
  }
  // What could not be measured, and why.
  void leave_out(const std::string& id, const std::string& why) { std::printf("%-52s not run: %s\n", id.c_str(), why.c_str()); }

 private:
  std::FILE* json_;
};

}  // namespace sgmv::bench
