"""AWS's shared files as AWS's own tools read them: botocore is the judge, file by file.

The files are described in tests/data/aws-files/README.md. Debian's awscli carries botocore inside
itself; what botocore hands on although no AWS call can succeed with it, linesign refuses with a
sentence, and one bad line of a profile that is not used stops botocore and not linesign."""

import json
import os
import subprocess
from pathlib import Path

import awscli  # noqa: F401  makes its own botocore the one that is imported next
import botocore.exceptions
import botocore.session
import pytest

from support.appliance import program

FILES = Path(__file__).resolve().parent.parent / "data/aws-files"
KEY_ID = "AKIALINESIGNPLANT001"
KEYS = f"aws_access_key_id = {KEY_ID}\naws_secret_access_key = secret-of-the-plant\n"
OTHER_KEYS = KEYS.replace("PLANT", "OTHER")

# profile: what is wanted of the file; "plant" where nothing is said
PROFILES = {"config-quoted.config": "plant south", "config-apostrophes.config": "plant south",
            "config-two-words.config": "plant south", "name-with-dots.credentials": "plant.eu-1_x@y",
            "config-default.config": "default", "config-default-twice.config": "default"}

BOTH_READ = """
    blank-lines capitals carriage-returns colon colon-then-equals comments crlf default-section
    empty-region hash-in-value header-glued header-hash header-semicolon indented indented-header
    legacy-token name-with-dots nested no-break-space no-last-newline no-spaces plain tabs token
    unicode-comment unknown-keys wide-spaces config-apostrophes config-default config-default-twice
    config-keys config-nested config-other-sections config-quoted""".split()

BOTH_REFUSE = {
    "broken-line": ":3: \"key = value\" is expected",
    "no-key": ":4: \"key = value\" is expected",
    "open-header": ":1: the section does not end with ']'",
    "two-brackets": ":1: AWS's tools read this name otherwise",
    "spaced-header": ":1: AWS's tools read this name otherwise",
    "quoted-header": ":1: AWS's tools read this name otherwise",
    "profile-word": "there is no profile plant in ",
    "key-twice": ":4: aws_access_key_id stands in this section twice",
    "section-twice": ":7: the section stands in line 1 already",
    "byte-order-mark": ":1: the file begins with a byte order mark",
    "utf-16": "it is UTF-16",
    "latin-1-value": ":4: this line is not UTF-8",
    "nested-broken": ":4: s3: \"name = value\" is expected in the lines below",
    "wrapped-secret": ":3: aws_secret_access_key: the indented line below it is part of the value",
    "second-key-deeper": ":2: aws_access_key_id: the indented line below it is part of the value",
    "id-alone": "the secret access key is missing",
    "config-two-words": ":1: AWS's tools read this name otherwise",
    "config-no-profile-word": "there is no profile plant in "}

UNUSABLE = {
    "comment-after-id": ":2: aws_access_key_id: a comment after a value is part of the value",
    "comment-after-secret": ":3: aws_secret_access_key: a comment after a value is part of the",
    "comment-after-region": ":4: region: a comment after a value is part of the value",
    "quoted-id": ":2: aws_access_key_id: an access key id has only letters and digits",
    "empty-id": ":2: aws_access_key_id: the value is empty",
    "secret-over-two-lines": ":3: aws_secret_access_key: the indented line below it is part of"}

LINESIGN_READS = """
    above-all latin-1-comment mark-before-comment other-broken other-latin-1 other-open-header
    other-twice""".split()


def path_of(name):
    (found,) = FILES.glob(f"{name}.c*")
    return found


def environment(tmp_path, config=None, credentials=None, **more):
    return {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": str(config or tmp_path / "config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(credentials or tmp_path / "credentials"), **more}


def linesign(variables, profile=None):
    run = subprocess.run([program("read_aws_profile"), *([profile] if profile else [])],
                         env=variables, capture_output=True, text=True, timeout=60, check=True)
    return json.loads(run.stdout)


def judge(monkeypatch, variables, profile=None):
    """What botocore reads, in the same words; or "error"."""
    for name in [*os.environ]:
        monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    try:
        session = botocore.session.Session(profile=profile)
        keys = session.get_credentials()
        if keys is None:
            return {"error": "no credentials"}
        read = {"method": keys.method, "region": session.get_config_variable("region")}
        nested = session.get_scoped_config().get("s3")
        if isinstance(nested, dict):
            read["s3.addressing_style"] = nested.get("addressing_style")
        if "role" not in keys.method:
            keys = keys.get_frozen_credentials()
            read |= {"access_key_id": keys.access_key, "secret": keys.secret_key,
                     "token": keys.token}
        return {name: value for name, value in read.items() if value}
    except (botocore.exceptions.BotoCoreError, TypeError, ValueError) as error:
        return {"error": repr(error)}


def method_of(source):
    for begin, method in (("AssumeRole", "assume-role"),
                          ("web identity", "assume-role-with-web-identity"),
                          ("credential_process", "custom-process"), ("the environment", "env")):
        if source.startswith(begin):
            return method
    return "shared-credentials-file" if "credentials [" in source else "config-file"


def both(monkeypatch, variables, profile):
    ours = linesign(variables, profile)
    if "error" not in ours:
        ours["method"] = method_of(ours.pop("source"))
    return {name: value for name, value in ours.items() if value}, \
        judge(monkeypatch, variables, profile)


def read_file(monkeypatch, tmp_path, name):
    path = path_of(name)
    kind = path.suffix.removeprefix(".")
    return both(monkeypatch, environment(tmp_path, **{kind: path}),
                PROFILES.get(path.name, "plant"))


def test_every_file_is_judged():
    assert sorted(path.name.partition(".")[0] for path in FILES.glob("*.c*")) == \
        sorted([*BOTH_READ, *BOTH_REFUSE, *UNUSABLE, *LINESIGN_READS])


@pytest.mark.parametrize("name", BOTH_READ)
def test_a_file_says_to_both_the_same(monkeypatch, tmp_path, name):
    ours, botocores = read_file(monkeypatch, tmp_path, name)
    assert ours == botocores and ours["access_key_id"] == KEY_ID


@pytest.mark.parametrize("name", BOTH_REFUSE)
def test_what_botocore_refuses_is_refused_with_file_and_line(monkeypatch, tmp_path, name):
    ours, botocores = read_file(monkeypatch, tmp_path, name)
    assert "error" in botocores
    assert BOTH_REFUSE[name] in ours["error"] and str(path_of(name)) in ours["error"]


@pytest.mark.parametrize("name", UNUSABLE)
def test_a_value_that_no_key_can_be_is_told_before_aws_is_asked(monkeypatch, tmp_path, name):
    ours, botocores = read_file(monkeypatch, tmp_path, name)
    assert "error" not in botocores
    assert str(path_of(name)) + UNUSABLE[name] in ours["error"]


@pytest.mark.parametrize("name", LINESIGN_READS)
def test_a_bad_line_of_another_profile_stops_nobody(monkeypatch, tmp_path, name):
    ours, botocores = read_file(monkeypatch, tmp_path, name)
    assert "error" in botocores
    assert ours["access_key_id"] == KEY_ID


# --- which credentials count ---------------------------------------------------------------------

PROCESS = """credential_process = /bin/sh -c 'echo "{\\"Version\\": 1, \\"AccessKeyId\\": \\"AK\\", \
\\"SecretAccessKey\\": \\"S\\", \\"Expiration\\": %s}"'"""
ROLE = "role_arn = arn:aws:iam::111122223333:role/line\n"
ENV_KEYS = {"AWS_ACCESS_KEY_ID": "AKIALINESIGNENVIRO01", "AWS_SECRET_ACCESS_KEY": "secret"}


def chain(what, config="", credentials="", variables=None, profile="plant", method=None, says=None):
    return pytest.param(config, credentials, variables or {}, profile, method, says, id=what)


CHAIN = [
    chain("keys in the credentials file before those in the config file",
          f"[profile plant]\n{OTHER_KEYS}", f"[plant]\n{KEYS}", method="shared-credentials-file"),
    chain("a process before keys in the config file",
          f"[profile plant]\n{KEYS}{PROCESS % 'null'}\n", method="custom-process"),
    chain("keys in the credentials file before a process",
          f"[profile plant]\n{PROCESS % 'null'}\n", f"[plant]\n{KEYS}",
          method="shared-credentials-file"),
    chain("a role before keys",
          f"[profile plant]\n{ROLE}source_profile = base\n[profile base]\n{KEYS}",
          f"[plant]\n{OTHER_KEYS}", method="assume-role"),
    chain("the environment before a profile that it names",
          f"[profile plant]\n{KEYS}", variables={**ENV_KEYS, "AWS_PROFILE": "plant"},
          profile=None, method="env"),
    chain("a profile of the caller before the environment",
          f"[profile plant]\n{KEYS}", variables=ENV_KEYS, method="config-file"),
    chain("a profile that the environment names",
          f"[profile plant]\n{KEYS}", variables={"AWS_PROFILE": "plant"}, profile=None,
          method="config-file"),
    chain("a web identity before keys",
          f"[profile plant]\n{ROLE}web_identity_token_file = /t\n{KEYS}",
          method="assume-role-with-web-identity"),
    chain("a role without a source",
          f"[profile plant]\n{ROLE}", f"[plant]\n{KEYS}",
          says="nothing says whose keys assume the role"),
    chain("a role without a source, beside its keys",
          f"[profile plant]\n{ROLE}{KEYS}", says="nothing says whose keys assume the role"),
    chain("a role without a source in the credentials file",
          "", f"[plant]\n{ROLE}{KEYS}", says="nothing says whose keys assume the role"),
    chain("a role without a source that DEFAULT brings in",
          f"[DEFAULT]\n{ROLE}[profile plant]\n{KEYS}",
          says="nothing says whose keys assume the role"),
    chain("an empty role",
          f"[profile plant]\nrole_arn =\n{KEYS}", says="nothing says whose keys assume the role"),
    chain("two sources of a role",
          f"[profile plant]\n{ROLE}source_profile = plant\ncredential_source = Environment\n{KEYS}",
          says="source_profile and credential_source exclude each other"),
    chain("a source profile that is missing",
          f"[profile plant]\n{ROLE}source_profile = gone\n{KEYS}",
          says="source_profile: there is no profile gone in "),
    chain("a source profile that says nothing",
          f"[profile plant]\n{ROLE}source_profile = base\n[profile base]\nregion = eu-west-1\n",
          says="its source_profile base has no credentials"),
    chain("a profile that is its own source, for its keys",
          f"[profile plant]\n{ROLE}source_profile = plant\n{KEYS}", method="assume-role"),
    chain("a profile that is its own source, without keys",
          f"[profile plant]\n{ROLE}source_profile = plant\n", says="leads back to itself"),
    chain("profiles in a circle",
          f"[profile plant]\n{ROLE}source_profile = base\n{KEYS}"
          f"[profile base]\n{ROLE}source_profile = plant\n", says="leads back to itself"),
    chain("a source profile in the credentials file",
          f"[profile plant]\n{ROLE}source_profile = base\n", f"[base]\n{KEYS}",
          method="assume-role"),
    chain("a credential_source that nobody knows",
          f"[profile plant]\n{ROLE}credential_source = Moon\n",
          says="credential_source is Environment, Ec2InstanceMetadata or EcsContainer"),
    chain("the environment as a source",
          f"[profile plant]\n{ROLE}credential_source = Environment\n", variables=ENV_KEYS,
          method="assume-role"),
    chain("the environment as a source, without keys in it",
          f"[profile plant]\n{ROLE}credential_source = Environment\n",
          says="AWS_ACCESS_KEY_ID is not set"),
    chain("a container as a source, where there is none",
          f"[profile plant]\n{ROLE}credential_source = EcsContainer\n",
          says="AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"),
    chain("a process that says when its keys end",
          "[profile plant]\n" + PROCESS % '\\"2099-01-15T09:00:00Z\\"' + "\n",
          method="custom-process"),
    chain("a process that says it with a number",
          "[profile plant]\n" + PROCESS % "4071200400" + "\n",
          says="the member Expiration is not a text in quotes"),
    chain("a process that says it with nothing",
          "[profile plant]\n" + PROCESS % '\\"\\"' + "\n", says="Expiration is not a time such as"),
    chain("a profile that nobody has", "", says="there is no profile plant in "),
    chain("a profile of the environment that nobody has", variables={"AWS_PROFILE": "plant"},
          profile=None, says="there is no profile plant in "),
]


@pytest.mark.parametrize("config, credentials, variables, profile, method, says", CHAIN)
def test_both_choose_the_same_credentials(monkeypatch, tmp_path, config, credentials, variables,
                                          profile, method, says):
    (tmp_path / "config").write_text(config)
    (tmp_path / "credentials").write_text(credentials)
    ours, botocores = both(monkeypatch, environment(tmp_path, **variables), profile)
    if says:
        assert says in ours["error"] and "error" in botocores
    else:
        assert ours == botocores and ours["method"] == method


@pytest.mark.parametrize("config, credentials", [
    ("~/shared/config", "~/shared/credentials"), ("shared/config", "shared/credentials")],
    ids=["home", "relative"])
def test_the_files_can_lie_elsewhere(monkeypatch, tmp_path, config, credentials):
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared/config").write_text("[profile plant]\nregion = eu-west-1\n")
    (tmp_path / "shared/credentials").write_text(f"[plant]\n{KEYS}")
    monkeypatch.chdir(tmp_path)
    ours, botocores = both(monkeypatch, environment(tmp_path, config, credentials), "plant")
    assert ours == botocores and ours["region"] == "eu-west-1"


def test_an_unreadable_file_is_named_and_not_passed_over(tmp_path):
    (tmp_path / "credentials").mkdir()
    (tmp_path / "config").write_text(f"[profile plant]\n{KEYS}")
    variables = environment(tmp_path)
    said = linesign(variables, "plant")["error"]
    assert f"{tmp_path}/credentials: Is a directory" in said
    assert "error" not in linesign({**variables, **ENV_KEYS})  # what needs no file goes on
