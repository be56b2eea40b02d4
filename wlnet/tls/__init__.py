"""TLS around the TCP ports: certificate files that may change, and the door that encrypts."""
