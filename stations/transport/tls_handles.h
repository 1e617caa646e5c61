// TLS handles: the OpenSSL objects of this folder as unique_ptrs. For its .cpp files only.
#ifndef LINESIGN_STATIONS_TRANSPORT_TLS_HANDLES_H_
#define LINESIGN_STATIONS_TRANSPORT_TLS_HANDLES_H_

#include <memory>

#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

namespace linesign::tls {

template <auto Function>
struct Free {
  template <typename T>
  void operator()(T* pointer) const {
    Function(pointer);
  }
};

struct FreeCertificates {
  void operator()(STACK_OF(X509) * stack) const { sk_X509_pop_free(stack, X509_free); }
};

using Bio = std::unique_ptr<BIO, Free<BIO_free_all>>;
using BioMethod = std::unique_ptr<BIO_METHOD, Free<BIO_meth_free>>;
using Certificate = std::unique_ptr<X509, Free<X509_free>>;
using Certificates = std::unique_ptr<STACK_OF(X509), FreeCertificates>;
using Connection = std::unique_ptr<SSL, Free<SSL_free>>;
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;

}  // namespace linesign::tls

#endif  // LINESIGN_STATIONS_TRANSPORT_TLS_HANDLES_H_
