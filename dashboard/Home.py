"""The dashboard's door: `streamlit run dashboard/Home.py [-- --db PATH]`."""  # noqa: N999 -- the promised name

import streamlit as st

from dashboard import navigation, theme

st.set_page_config(page_title="StreetCLIP", page_icon=theme.FAVICON, layout="wide")
navigation.run()
