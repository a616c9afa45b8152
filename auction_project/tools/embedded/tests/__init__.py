"""Tests of the embedded servers, with real processes. They need no Django and none of the variables that name servers."""
