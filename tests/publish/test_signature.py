"""Signatures of the sums: a good one verifies, anything touched does not."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from pipelines.publish.signature import KEY_SETTING, SignatureError, sign, signing_key, verify

DATA = b"0" * 64 + b"  data/county_totals.parquet\n"
SIGNER = "office@example.org"


def make_key(folder: Path, name: str, passphrase: str = "") -> Path:
    if shutil.which("ssh-keygen") is None:
        pytest.skip("ssh-keygen is not installed")
    key = folder / name
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", "test", "-f", str(key)], check=True)
    return key


def allow(folder: Path, key: Path, name: str = SIGNER, namespaces: str = "gongkai") -> Path:
    public = key.with_name(key.name + ".pub").read_text().split()
    path = folder / "allowed_signers"
    path.write_text(f'{name} namespaces="{namespaces}" {public[0]} {public[1]}\n')
    return path


@pytest.fixture
def signed(tmp_path):
    key = make_key(tmp_path, "key")
    return sign(DATA, key), allow(tmp_path, key), key


def test_a_signature_verifies_and_names_its_signer(signed):
    signature, allowed, _ = signed
    assert signature.startswith(b"-----BEGIN SSH SIGNATURE-----")
    assert verify(DATA, signature, allowed) == SIGNER


def test_the_same_key_gives_the_same_bytes(signed):
    signature, _, key = signed
    assert sign(DATA, key) == signature


def test_one_changed_byte_is_found(signed):
    signature, allowed, _ = signed
    with pytest.raises(SignatureError, match="does not fit"):
        verify(DATA[:-1] + b" ", signature, allowed)


def test_a_changed_signature_is_found(signed):
    signature, allowed, _ = signed
    middle = len(signature) // 2
    touched = signature[:middle] + bytes([signature[middle] ^ 1]) + signature[middle + 1 :]
    with pytest.raises(SignatureError):
        verify(DATA, touched, allowed)


def test_another_signer_is_not_on_the_list(signed, tmp_path):
    _, allowed, _ = signed
    stranger = make_key(tmp_path, "stranger")
    with pytest.raises(SignatureError, match="not on the list"):
        verify(DATA, sign(DATA, stranger), allowed)


def test_a_signer_of_other_things_is_refused(signed, tmp_path):
    signature, _, key = signed
    with pytest.raises(SignatureError):
        verify(DATA, signature, allow(tmp_path, key, namespaces="git"))


def test_a_signature_for_another_purpose_is_refused(signed, tmp_path):
    _, allowed, key = signed
    file = tmp_path / "sums"
    file.write_bytes(DATA)
    subprocess.run(["ssh-keygen", "-q", "-Y", "sign", "-n", "file", "-f", str(key), str(file)], check=True)
    with pytest.raises(SignatureError):
        verify(DATA, file.with_name("sums.sig").read_bytes(), allowed)


def test_what_is_no_signature(tmp_path):
    with pytest.raises(SignatureError, match="no SSH signature"):
        verify(DATA, b"hello", tmp_path / "allowed")
    with pytest.raises(SignatureError, match="does not exist"):
        verify(DATA, b"-----BEGIN SSH SIGNATURE-----", tmp_path / "allowed")


def test_a_key_that_cannot_sign_fails_clearly_and_without_waiting(tmp_path):
    locked = make_key(tmp_path, "locked", passphrase="secret words")
    with pytest.raises(SignatureError, match="Signing failed"):
        sign(DATA, locked)
    with pytest.raises(SignatureError, match="Signing failed"):
        sign(DATA, tmp_path / "absent")


def test_the_key_comes_from_the_environment_alone(tmp_path):
    key = tmp_path / "key"
    assert signing_key({}) is None
    with pytest.raises(SignatureError, match=KEY_SETTING):
        signing_key({KEY_SETTING: str(key)})
    key.write_text("x")
    assert signing_key({KEY_SETTING: str(key)}) == key
