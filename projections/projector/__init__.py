"""The projector: takes every projection further as history grows."""
