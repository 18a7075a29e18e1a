"""People log in with an OpenID Connect issuer; this server is the relying party."""
