"""PKCS#11 modules of the tests, and the tokens of SoftHSM2 as files."""

from support.appliance import BIN

TESTS = BIN.parent / "tests"
FAULTY = TESTS / "liblinesign_faulty_module.so"
SIMULATOR = TESTS / "liblinesign_hsm_simulator.so"
SYSTEM_FAULTS = TESTS / "liblinesign_system_faults.so"


def token_folder(folder):
    """The only token below the folder of an appliance."""
    return next(each for each in (folder / "tokens").iterdir() if each.is_dir())
