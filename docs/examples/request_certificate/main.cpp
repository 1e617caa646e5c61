// Gets one device certificate with its chain, with the linesign station library.
//
//   request_certificate STATION_DIR DEVICE_ID CSR_FILE > DEVICE_ID.pem
#include <cstdio>

#include <linesign/stations/client/station_client.h>

namespace {

linesign::Result<std::string> run(const char* station, const char* device, const char* csr_file) {
  LS_TRY(const auto credential, linesign::StationCredential::load(station));
  LS_TRY(const auto client, linesign::StationClient::connect(credential));
  LS_TRY(const auto csr, linesign::load_csr(csr_file));
  LS_TRY(const auto certificate, client->request_certificate(device, csr.der));
  return client->chain_pem(certificate);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: request_certificate STATION_DIR DEVICE_ID CSR_FILE\n");
    return 64;
  }
  const auto pem = run(argv[1], argv[2], argv[3]);
  if (!pem.has_value()) {
    std::fprintf(stderr, "%s\n", pem.error().to_string().c_str());
    return pem.error().exit_code();
  }
  std::fputs(pem->c_str(), stdout);
  return 0;
}
