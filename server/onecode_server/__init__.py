"""The onecode server: verifies and translates health codes between regions.

Imports point down only: ``cli`` -> ``workers`` -> ``app`` -> ``composition`` -> ``config | rpc`` -> ``engine`` ->
``stores | formats | crypto | rules | metrics`` -> ``model`` -> ``errors``. ARCHITECTURE.md says where to add what.
"""
