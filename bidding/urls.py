"""The paths of bidding, relative to /api/v1/."""

from django.urls import path

from bidding.rest import api

urlpatterns = [
    path("time", api.TimeView.as_view()),
    path("auctions", api.AuctionsView.as_view()),
    path("auctions/suggestions", api.SuggestionsView.as_view()),
    path("auctions/<str:auction_id>", api.AuctionView.as_view()),
    path("auctions/<str:auction_id>/open", api.OpenView.as_view()),
    path("auctions/<str:auction_id>/cancel", api.CancelView.as_view()),
    path("auctions/<str:auction_id>/bids", api.BidsView.as_view()),
    path("auctions/<str:auction_id>/bids/by-key/<path:key>", api.OutcomeView.as_view()),
    path("auctions/<str:auction_id>/history", api.HistoryView.as_view()),
    path("auctions/<str:auction_id>/mine", api.StandingView.as_view()),
    path("bids/mine", api.OwnBidsView.as_view()),
]
