"""Signatures of the sums: a good one verifies, anything touched does not."""

from __future__ import annotations

import http.server
import shutil
import subprocess
import threading
from functools import partial
from pathlib import Path

import pytest

from pipelines.publish.package import SIGNATURE, SUMS, build_package
from pipelines.publish.release import publish, release_files
from pipelines.publish.signature import SignatureError, sign, signer, verify
from pipelines.publish.verify import verify as verify_release
from tests.publish.county import CODE, YEAR, county, form, region

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


@pytest.fixture
def release(tmp_path):
    files = build_package(region(), YEAR, county(), form())
    return publish(files, tmp_path / "out", CODE, YEAR)


def sign_release(release, key):
    """What a run with this key does to a release that stands."""
    publish(release_files(release.path), release.path.parents[3], CODE, YEAR, signer(str(key)))


def rules(report):
    return [finding.rule for finding in report.findings]


def test_a_release_is_signed_once_and_keeps_its_id(release, tmp_path):
    key, other = make_key(tmp_path, "key"), make_key(tmp_path, "other")
    sign_release(release, key)
    signature = (release.path / SIGNATURE).read_bytes()
    assert signature == sign((release.path / SUMS).read_bytes(), key)
    sign_release(release, other)
    assert (release.path / SIGNATURE).read_bytes() == signature
    again = publish(release_files(release.path), tmp_path / "out", CODE, YEAR)
    assert (again.id, again.new) == (release.id, False)


def test_a_release_is_signed_before_latest_names_it(tmp_path):
    files, out = build_package(region(), YEAR, county(), form()), tmp_path / "out"
    latest = out / CODE / str(YEAR) / "latest.json"
    with pytest.raises(SignatureError):
        publish(files, out, CODE, YEAR, signer(str(tmp_path / "absent")))
    assert not latest.exists()
    assert not list((out / CODE / str(YEAR) / "releases").glob("*"))
    sign_now = signer(str(make_key(tmp_path, "key")))
    seen = []

    def sign_and_look(data: bytes) -> bytes:
        seen.append(latest.exists())
        return sign_now(data)

    done = publish(files, out, CODE, YEAR, sign_and_look)
    assert (done.path / SIGNATURE).read_bytes() == sign_now(files[SUMS])
    assert publish(files, out, CODE, YEAR, sign_and_look).new is False
    assert seen == [False]
    assert signer("") is None


def test_what_was_published_unsigned_is_signed_when_it_comes_again(release, tmp_path):
    sign_now = signer(str(make_key(tmp_path, "key")))
    again = publish(release_files(release.path), tmp_path / "out", CODE, YEAR, sign_now)
    assert (again.id, again.new) == (release.id, False)
    assert (again.path / SIGNATURE).read_bytes() == sign_now((again.path / SUMS).read_bytes())


def test_who_signed_a_release_is_told_to_those_who_ask(release, tmp_path):
    key = make_key(tmp_path, "key")
    signers = allow(tmp_path, key)
    unsigned = verify_release(release.path)
    assert unsigned.valid
    assert not unsigned.signed
    assert rules(unsigned) == []
    assert not verify_release(release.path, signers).valid
    assert rules(verify_release(release.path, signers)) == ["signature_missing"]
    sign_release(release, key)
    unasked = verify_release(release.path)
    assert unasked.valid
    assert unasked.signed
    assert rules(unasked) == ["signature_unchecked"]
    asked = verify_release(release.path, signers)
    assert asked.valid
    assert asked.signed_by == SIGNER
    assert rules(asked) == []


def test_a_foreign_or_touched_signature_is_an_error(release, tmp_path):
    signers = allow(tmp_path, make_key(tmp_path, "key"))
    sign_release(release, make_key(tmp_path, "stranger"))
    report = verify_release(release.path, signers)
    assert not report.valid
    assert rules(report) == ["signature_wrong"]
    (release.path / SIGNATURE).write_bytes(b"hello")
    report = verify_release(release.path, signers)
    assert not report.valid
    assert "没有" not in report.findings[0].message_zh
    assert rules(report) == ["signature_wrong"]


def test_a_signature_is_found_on_a_web_server(release, tmp_path):
    key = make_key(tmp_path, "key")
    sign_release(release, key)
    handler = partial(Silent, directory=str(tmp_path / "out"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}/{CODE}/{YEAR}/"
        report = verify_release(address, allow(tmp_path, key))
        server.shutdown()
    assert report.valid
    assert report.signed_by == SIGNER


class Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None: ...
