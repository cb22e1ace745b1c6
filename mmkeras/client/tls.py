"""The certificates that a client trusts."""

import ssl

SCHEMES = ("https:", "grpcs:")
REMEDY = "Give the certificate of its authority as ca_file, or correct the URL."


def check_ca_file(ca_file, url):
    """Raises ValueError where `ca_file` is given and the URL is not of TLS."""
    if ca_file is not None and not str(url).startswith(SCHEMES):
        raise ValueError(f"ca_file is for https and grpcs. Received: url={url!r}. Change it, or leave ca_file out.")


def context_of(ca_file):
    """An `ssl.SSLContext` that trusts the certificates of a PEM file, or those of the system if it is None.

    Raises:
        ValueError: it is no such file.
    """
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # ssl.SSLError is an OSError
        raise ValueError(
            f"ca_file must be a PEM file of certificates. Received: '{ca_file}', {error}. Give the path of such a file."
        ) from error
