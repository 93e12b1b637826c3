"""The client needs nothing for cryptography until codes are verified without a server."""

import subprocess
import sys

WITHOUT = "import sys; sys.modules['nacl'] = None; "


def printed(program: str) -> str:
    """Return what a program writes in an interpreter in which there is no PyNaCl."""
    done = subprocess.run([sys.executable, "-c", WITHOUT + program], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_the_client_and_its_program_run_without_the_extra() -> None:
    assert printed("import onecode_client, onecode_client.partner.command; print('imported')") == "imported\n"


def test_the_verifier_says_what_to_install() -> None:
    assert printed("import onecode_client.offline").endswith(
        'ImportError: verification without a server needs PyNaCl: pip install "onecode-client[offline]"\n'
    )
