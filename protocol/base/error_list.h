// The one list of everything that can go wrong: name, number, kind, exit code, sentence.
//
// Shape    LS_ERROR(name, number, kind, exit_code, sentence); numbers never change once released,
//          and a retired number is never used again. The hundreds say where it happened.
// Kind     Retry: the same call may succeed later. Refuse: this input will never be accepted.
//          Operator: a person at the plant must act. Bug: please report it.
// Source   docs/errors.md is held to this list by a test; exit codes follow sysexits.h
#ifndef LINESIGN_PROTOCOL_BASE_ERROR_LIST_H_
#define LINESIGN_PROTOCOL_BASE_ERROR_LIST_H_

// clang-format off
#define LINESIGN_ERROR_LIST(LS_ERROR)                                                                                    \
  /* 1xx: between a station and the appliance */                                                                         \
  LS_ERROR(FrameEmpty,            100, Refuse,   65, "A frame of length 0 was received.")                                \
  LS_ERROR(FrameTooLarge,         101, Refuse,   65, "A frame is longer than the protocol allows.")                      \
  LS_ERROR(FrameMalformed,        102, Refuse,   65, "A frame does not hold a valid message.")                           \
  LS_ERROR(FrameTimeout,          103, Refuse,   75, "A frame was not completed in time.")                               \
  LS_ERROR(HelloExpected,         104, Refuse,   65, "The first message must be Hello.")                                 \
  LS_ERROR(HelloRepeated,         105, Refuse,   65, "Hello was sent twice on one connection.")                          \
  LS_ERROR(MessageUnknown,        106, Refuse,   65, "The message type is not known to this version.")                   \
  LS_ERROR(VersionUnsupported,    107, Refuse,   65, "No protocol version is common to both sides.")                     \
  LS_ERROR(FieldInvalid,          108, Refuse,   65, "A field of the message is missing or out of its limits.")          \
  LS_ERROR(HelloTimeout,          109, Refuse,   75, "The peer did not introduce itself in time.")                       \
  LS_ERROR(IdleTimeout,           110, Retry,    75, "The connection was silent for too long and was closed.")           \
  LS_ERROR(ConnectionClosed,      111, Retry,    75, "The connection was closed by the other side.")                     \
  LS_ERROR(ConnectFailed,         112, Retry,    69, "The appliance cannot be reached.")                                 \
  LS_ERROR(TlsFailed,             113, Refuse,   77, "The TLS handshake failed.")                                        \
  LS_ERROR(PeerNotTrusted,        114, Refuse,   77, "The server is not the appliance named in the join token.")         \
  LS_ERROR(OutputStalled,         115, Refuse,   75, "The station does not read its answers.")                           \
  LS_ERROR(CertificateWrong,      116, Bug,      70, "The certificate that came back does not fit the request.")         \
  LS_ERROR(StationClockWrong,     117, Operator, 69, "The clock of this station appears to be wrong.")                   \
  LS_ERROR(SessionLimit,          118, Retry,    75, "This station has as many connections as it may have.")             \
  LS_ERROR(StationUnknown,        120, Refuse,   77, "This station is not enrolled here.")                               \
  LS_ERROR(StationRevoked,        121, Refuse,   77, "This station has been revoked.")                                   \
  LS_ERROR(TokenInvalid,          122, Refuse,   77, "The join token is not known or is damaged.")                       \
  LS_ERROR(TokenExpired,          123, Refuse,   77, "The join token has expired.")                                      \
  LS_ERROR(TokenUsed,             124, Refuse,   77, "The join token was used before.")                                  \
  LS_ERROR(StationExists,         125, Refuse,   65, "A station of this name exists.")                                   \
  LS_ERROR(StationNameInvalid,    126, Refuse,   65, "A station name has 1 to 64 of the characters A-Z a-z 0-9 . _ -")   \
  LS_ERROR(StationNotFound,       127, Refuse,   65, "There is no station of this name.")                                \
  LS_ERROR(NotEnrolled,           128, Operator, 77, "This folder is not enrolled; run `linesign-station enroll`.")      \
  /* 2xx: a certificate signing request */                                                                               \
  LS_ERROR(CsrEmpty,              200, Refuse,   65, "The CSR is empty.")                                                \
  LS_ERROR(CsrTooLarge,           201, Refuse,   65, "The CSR is larger than allowed.")                                  \
  LS_ERROR(CsrNotDer,             202, Refuse,   65, "The CSR is PEM text; DER is expected here.")                       \
  LS_ERROR(CsrMalformed,          203, Refuse,   65, "The CSR is not valid DER.")                                        \
  LS_ERROR(CsrTrailingBytes,      204, Refuse,   65, "There are bytes after the end of the CSR.")                        \
  LS_ERROR(CsrTooDeep,            205, Refuse,   65, "The CSR is nested too deeply.")                                    \
  LS_ERROR(CsrVersion,            206, Refuse,   65, "The CSR is not of version 1 (value 0).")                           \
  LS_ERROR(CsrSubjectInvalid,     207, Refuse,   65, "The subject of the CSR is not acceptable.")                        \
  LS_ERROR(CsrSubjectMismatch,    208, Refuse,   65, "The common name in the CSR differs from the device id.")           \
  LS_ERROR(CsrKeyUnsupported,     209, Refuse,   65, "The kind of key in the CSR is not supported.")                     \
  LS_ERROR(CsrKeyInvalid,         210, Refuse,   65, "The public key in the CSR is not a valid key.")                    \
  LS_ERROR(CsrKeyNotAllowed,      211, Refuse,   65, "The profile does not allow this kind of key.")                     \
  LS_ERROR(CsrAlgorithm,          212, Refuse,   65, "The signature algorithm of the CSR is not supported.")             \
  LS_ERROR(CsrProofWrong,         213, Refuse,   65, "The CSR is not signed by the key that it carries.")                \
  LS_ERROR(CsrKeyWeak,            214, Refuse,   65, "The public key in the CSR is weak: its private key can be computed.")\
  LS_ERROR(CsrKeyReserved,        215, Refuse,   65, "The public key in the CSR belongs to a CA or to a station.")       \
  /* 3xx: identities and orders */                                                                                       \
  LS_ERROR(DeviceIdInvalid,       300, Refuse,   65, "A device id has 1 to 64 of the characters A-Z a-z 0-9 . _ : - and starts with a letter or digit.")\
  LS_ERROR(OrderUnknown,          301, Refuse,   65, "There is no such order.")                                          \
  LS_ERROR(OrderClosed,           302, Refuse,   77, "The order is closed.")                                             \
  LS_ERROR(RequestConflict,       303, Refuse,   65, "This request id was used for another request.")                    \
  LS_ERROR(DeviceExists,          304, Refuse,   65, "This device id has a certificate in this order.")                  \
  LS_ERROR(KeyExists,             305, Refuse,   65, "This public key has a certificate.")                               \
  LS_ERROR(OrderExhausted,        306, Refuse,   77, "The order's quantity is used up.")                                 \
  LS_ERROR(DeviceUnknown,         307, Refuse,   65, "This device id has no certificate in this order.")                 \
  LS_ERROR(DeviceIdNotAllowed,    308, Refuse,   65, "The device id does not fit the rules of an AWS target of this order.")\
  LS_ERROR(DeviceInProgress,      309, Retry,    75, "Another request for this device or this key is in progress.")      \
  /* 4xx: try later */                                                                                                   \
  LS_ERROR(Busy,                  400, Retry,    75, "The appliance is at its limit; try again after the stated time.")  \
  LS_ERROR(Unavailable,           401, Retry,    69, "The appliance is not issuing certificates right now; try again later.")\
  LS_ERROR(Draining,              402, Retry,    75, "The appliance is shutting down; try again later.")                 \
  LS_ERROR(StationThrottled,      403, Retry,    75, "This station sent too many CSRs that fail their checks; its requests are delayed.")\
  /* 5xx: HSM and signers */                                                                                             \
  LS_ERROR(HsmUnavailable,        500, Retry,    69, "The HSM does not answer.")                                         \
  LS_ERROR(HsmPinRefused,         501, Operator, 77, "The HSM rejected the PIN. linesign will not retry it automatically.")\
  LS_ERROR(HsmKeyNotFound,        502, Operator, 69, "The CA key is not in the token.")                                  \
  LS_ERROR(HsmKeyAmbiguous,       503, Operator, 69, "More than one key in the token answers to the CA key's label or id.")\
  LS_ERROR(HsmKeyMismatch,        504, Operator, 69, "The key in the token is not the key of the CA certificate.")       \
  LS_ERROR(HsmKeyUnsafe,          505, Operator, 69, "The CA key lacks an attribute that keeps it inside the HSM.")      \
  LS_ERROR(HsmSignatureWrong,     506, Retry,    69, "The HSM returned a signature that does not verify.")               \
  LS_ERROR(HsmModuleLoad,         507, Operator, 69, "The PKCS#11 module cannot be loaded.")                             \
  LS_ERROR(HsmTokenNotFound,      508, Operator, 69, "No token has the configured label and serial number.")             \
  LS_ERROR(HsmTokenAmbiguous,     509, Operator, 69, "More than one token has the configured label; give the serial number too.")\
  LS_ERROR(HsmMechanismMissing,   510, Operator, 69, "The token lacks a mechanism that the CA key needs.")               \
  LS_ERROR(HsmOperationFailed,    511, Retry,    69, "An operation of the HSM failed.")                                  \
  LS_ERROR(SignerTimeout,         512, Retry,    69, "A signer did not answer in time and was replaced.")                \
  LS_ERROR(SignerProtocol,        513, Bug,      70, "A signer and the daemon disagree about their messages.")           \
  LS_ERROR(IntentMismatch,        514, Operator, 70, "The signer builds other bytes than the ledger's intent names.")    \
  LS_ERROR(HsmPinFile,            515, Operator, 78, "The file with the PIN cannot be used.")                            \
  LS_ERROR(HsmPinNotSet,          516, Operator, 69, "The token has no user PIN.")                                       \
  LS_ERROR(HsmKeyLabelTaken,      517, Refuse,   65, "The token holds a key of this label; a key is never replaced.")    \
  LS_ERROR(HsmRefused,            518, Retry,    69, "The HSM refused an operation.")                                    \
  LS_ERROR(HsmNotTrusted,         519, Operator, 69, "The HSM returned wrong signatures; production stops until an operator has checked it.")\
  LS_ERROR(HsmPinFinalTry,        520, Operator, 77, "The token allows one last PIN try; linesign does not use it without an operator.")\
  LS_ERROR(SignerNotConfined,     521, Operator, 78, "A protection of the signer process cannot be set up.")             \
  /* 6xx: ledger */                                                                                                      \
  LS_ERROR(LedgerUnavailable,     600, Retry,    74, "The ledger cannot be read or written.")                            \
  LS_ERROR(LedgerInUse,           601, Operator, 74, "Another process owns the ledger.")                                 \
  LS_ERROR(LedgerSchemaNewer,     602, Operator, 74, "The ledger was written by a newer version of linesign.")           \
  LS_ERROR(LedgerCorrupt,         603, Operator, 74, "The ledger is damaged; restore it from a backup.")                 \
  LS_ERROR(LedgerDiskFull,        604, Operator, 74, "The disk that holds the ledger is full.")                          \
  LS_ERROR(LedgerCommitUnknown,   605, Retry,    74, "It is not known whether the last write reached the disk.")         \
  LS_ERROR(LedgerProfileChanged,  606, Operator, 78, "An unfinished intent was recorded under another profile or CA.")   \
  LS_ERROR(LedgerReplaced,        607, Operator, 74, "A file of the ledger was deleted or replaced while linesignd used it.")\
  LS_ERROR(LedgerOlder,           608, Operator, 74, "The ledger is older than what this appliance has recorded.")       \
  LS_ERROR(LedgerUnknown,         609, Operator, 78, "The ledger is empty or not the one that this appliance has used.") \
  /* 7xx: configuration */                                                                                               \
  LS_ERROR(ConfigUnreadable,      700, Operator, 78, "The configuration file cannot be read.")                           \
  LS_ERROR(ConfigSyntax,          701, Operator, 78, "The configuration file is not valid TOML.")                        \
  LS_ERROR(ConfigUnknownKey,      702, Operator, 78, "The configuration file holds an unknown key.")                     \
  LS_ERROR(ConfigType,            703, Operator, 78, "A configuration value has the wrong type.")                        \
  LS_ERROR(ConfigRange,           704, Operator, 78, "A configuration value is out of its range.")                       \
  LS_ERROR(ConfigMissing,         705, Operator, 78, "A required configuration key is missing.")                         \
  LS_ERROR(ConfigConflict,        706, Operator, 78, "Conflicting settings.")                                            \
  /* 8xx: key ceremony and CA certificate */                                                                             \
  LS_ERROR(CaCertificateInvalid,  800, Operator, 65, "The certificate cannot be used as a CA certificate.")              \
  LS_ERROR(CaCertificateMismatch, 801, Operator, 65, "The certificate does not belong to the CA key.")                   \
  LS_ERROR(CaChainInvalid,        802, Operator, 65, "The certificate does not chain to the given root.")                \
  LS_ERROR(FileExists,            803, Refuse,   65, "The file exists and is not overwritten.")                          \
  LS_ERROR(CaExpired,             804, Operator, 69, "A CA certificate of the appliance is not valid at this time.")     \
  /* 9xx: everything else */                                                                                             \
  LS_ERROR(Internal,              900, Bug,      70, "An internal error; please report it.")                             \
  LS_ERROR(Io,                    901, Operator, 74, "A file or folder cannot be read or written.")                      \
  LS_ERROR(Usage,                 902, Refuse,   64, "The command line is not right.")                                   \
  LS_ERROR(InputInvalid,          903, Refuse,   65, "An input cannot be used.")                                         \
  LS_ERROR(ClockInDoubt,          904, Operator, 69, "The system clock appears to be wrong.")                            \
  LS_ERROR(CryptoFailed,          905, Bug,      70, "The cryptographic library failed.")                                \
  LS_ERROR(AdminUnavailable,      906, Retry,    69, "linesignd does not answer on its admin socket.")                   \
  LS_ERROR(Interrupted,           907, Retry,    75, "Stopped before the end, as asked.")                                \
  LS_ERROR(FolderInUse,           908, Retry,    75, "Another run works in this folder.")                                \
  LS_ERROR(AdminSocketInUse,      909, Operator, 69, "Another linesignd listens on the admin socket.")                   \
  LS_ERROR(AdminNotPermitted,     910, Operator, 77, "This user may not use the admin socket of linesignd.")             \
  LS_ERROR(ListenFailed,          911, Operator, 69, "The program cannot listen on a configured address.")               \
  LS_ERROR(ClockUnconfirmed,      912, Operator, 69, "The system clock is far ahead of the ledger; an operator must confirm it.")\
  LS_ERROR(AdminBusy,             913, Retry,    75, "This user has too many connections or calls open at the admin socket.")\
  LS_ERROR(DescriptorLimit,       914, Operator, 78, "The limit of open files is too low for the configuration.")        \
  /* 10xx: AWS */                                                                                                        \
  LS_ERROR(AwsUnreachable,        1000, Retry,    69, "AWS cannot be reached.")                                          \
  LS_ERROR(AwsTimeout,            1001, Retry,    69, "AWS did not answer in time.")                                     \
  LS_ERROR(AwsConnectionLost,     1002, Retry,    69, "The connection to AWS ended before the answer was complete.")     \
  LS_ERROR(AwsThrottled,          1003, Retry,    75, "AWS asks for fewer calls.")                                       \
  LS_ERROR(AwsUnavailable,        1004, Retry,    69, "AWS reports a failure of its own.")                               \
  LS_ERROR(AwsNotTrusted,         1005, Operator, 77, "The server that answers for AWS has no certificate that is trusted here.")\
  LS_ERROR(AwsNotAws,             1006, Operator, 69, "Something other than AWS answers, such as a login page of the network.")\
  LS_ERROR(AwsAnswerInvalid,      1007, Operator, 69, "An answer of AWS cannot be understood.")                          \
  LS_ERROR(AwsClockSkew,          1008, Operator, 69, "AWS does not accept the time of the clock here.")                 \
  LS_ERROR(AwsTaskRunning,        1009, Retry,    75, "AWS works on another bulk task of this account.")                 \
  LS_ERROR(AwsAnswerUnreadable,   1010, Retry,    69, "An answer of AWS cannot be read.")                                \
  LS_ERROR(AwsCredentialsMissing, 1020, Operator, 77, "There are no AWS credentials.")                                   \
  LS_ERROR(AwsCredentialsFailed,  1021, Operator, 77, "A configured source of AWS credentials gives none.")              \
  LS_ERROR(AwsCredentialsExpired, 1022, Operator, 77, "The AWS credentials have expired.")                               \
  LS_ERROR(AwsCredentialsRefused, 1023, Operator, 77, "AWS does not know the credentials or their secret.")              \
  LS_ERROR(AwsDenied,             1024, Operator, 77, "The AWS credentials do not permit this call.")                    \
  LS_ERROR(AwsRefused,            1030, Refuse,   65, "AWS refuses this request.")                                       \
  LS_ERROR(AwsNotFound,           1031, Refuse,   65, "AWS has nothing of this name.")                                   \
  LS_ERROR(AwsExists,             1032, Refuse,   65, "AWS has something else of this name.")                            \
  LS_ERROR(AwsConflict,           1033, Refuse,   65, "AWS cannot do this in the present state of what it concerns.")    \
  LS_ERROR(AwsQuota,              1034, Operator, 77, "A limit of the AWS account is reached.")                          \
  LS_ERROR(AwsWrongRegion,        1035, Operator, 78, "The bucket lies in another region.")                              \
  LS_ERROR(AwsThingForeign,       1036, Refuse,   65, "AWS has a thing of this name that linesign did not create.")      \
  LS_ERROR(AwsSettings,           1040, Operator, 78, "An AWS setting cannot be used.")                                  \
  LS_ERROR(CloudTargetUnknown,    1050, Refuse,   65, "There is no AWS target of this name.")                            \
  LS_ERROR(CloudTargetMoved,      1051, Refuse,   78, "An AWS target of this name was another account or region before.")\
  LS_ERROR(CloudRecordWrong,      1052, Refuse,   70, "What the ledger knows of the cloud contradicts itself.")          \
  LS_ERROR(ManifestMalformed,     1060, Refuse,   65, "The file is no signed manifest, or a damaged one.")               \
  LS_ERROR(ManifestSignatureWrong,1061, Refuse,   65, "The signature of a manifest does not verify.")                    \
  LS_ERROR(ManifestIncomplete,    1062, Refuse,   65, "A manifest does not hold what it should.")                        \
  LS_ERROR(ManifestRangeOpen,     1063, Retry,    75, "The range of a manifest is not finished in the ledger.")          \
  LS_ERROR(ManifestKeyRefused,    1064, Operator, 78, "This key may not sign manifests.")                                \
  LS_ERROR(ReportMalformed,       1065, Refuse,   65, "The report of a registration cannot be understood.")              \
  LS_ERROR(ReportRefused,         1066, Refuse,   65, "The report does not fit the ledger.")
// clang-format on

#endif  // LINESIGN_PROTOCOL_BASE_ERROR_LIST_H_
