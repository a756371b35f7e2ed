"""Start the dashboard: `streamlit run dashboard/Home.py [-- --db PATH --root DIR …]`."""  # noqa: N999 -- the promised name

import streamlit as st

from dashboard.server import middleware, routes, warm_start

# What `streamlit run` serves.
app = st.App(__file__, lifespan=warm_start, routes=routes(), middleware=middleware())

if __name__ == "__main__":  # what it runs for each visitor, whenever something changes
    from dashboard import navigation
    from dashboard.shell import theme

    st.set_page_config(page_title=theme.NAME, page_icon=theme.FAVICON, layout="wide")
    navigation.run()
